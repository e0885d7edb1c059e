"""Files that are whole or not there, tables, progress bars, and where a result came from."""
