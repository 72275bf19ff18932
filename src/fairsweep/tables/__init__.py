"""Result tables: columns, checks, checksums, views and declarations."""
