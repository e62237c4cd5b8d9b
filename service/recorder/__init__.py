"""What is kept of an event as files: its clip, the picture of its peak, the heat map of that."""
