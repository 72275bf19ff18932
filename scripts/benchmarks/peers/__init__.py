"""One module for each peer: how a careful user of it would count the confusion of groups at cutoffs."""
