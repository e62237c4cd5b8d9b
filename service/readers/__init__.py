"""Cameras and files that the service reads by itself, several in each of a few limited child processes."""
