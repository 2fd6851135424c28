"""What `bench/server` measures: servers side by side."""
