"""What the scorer works with: whose frame is next, batches over all streams, their way through the device."""
