"""2018's authentication Policy and MeshPolicy: their schema and the rules of their meaning."""
