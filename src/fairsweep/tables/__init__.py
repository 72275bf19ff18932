"""What result tables are: columns, checks, checksums, views and declarations."""
