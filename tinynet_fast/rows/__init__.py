"""What the user has, turned into blocks of contiguous rows and 0/1 labels. No training lives here."""
