"""What a row is: files within reach, conditions as data, and the intake."""
