"""From footage to a checkpoint, and how good that checkpoint is."""
