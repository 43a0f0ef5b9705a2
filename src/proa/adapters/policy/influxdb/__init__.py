"""influxdb: metrics as points of InfluxDB's line protocol, sent in batches."""
