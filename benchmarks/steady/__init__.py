"""The benchmark of steadiness: an hour at half of the maximum, in which nothing may grow but what is kept."""
