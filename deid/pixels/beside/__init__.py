"""What hides beside samples: overlay planes, thumbnails, comments, unused bits, bytes after the last row."""
