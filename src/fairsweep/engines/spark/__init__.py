"""The Spark engine: any input that Spark can read, on one machine, a cluster, Spark Connect or Databricks."""
