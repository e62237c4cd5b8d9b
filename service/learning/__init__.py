"""Learning a camera: its normal footage is recorded, and a model trained on it apart from all scoring."""
