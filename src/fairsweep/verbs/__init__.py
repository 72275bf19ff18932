"""What can be done: each verb reads, runs and publishes; no formula stands here."""
