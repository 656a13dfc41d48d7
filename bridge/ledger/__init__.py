"""The state file: items, attempts, cursors, duplicates; one writer, numbered migrations."""
