"""Videos that clients upload: what they are, their decoding in a sandbox, the jobs that score them."""
