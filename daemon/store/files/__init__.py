"""The bytes in folders of this machine: blobs, durable renames, and what lies where."""
