"""Fairsweep tells whether a risk model gives every group of people the help it needs."""

