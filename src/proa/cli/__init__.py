"""The command line: reads flags, files and environment, asks the admin API or the node agent, prints."""
