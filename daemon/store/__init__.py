"""What is durable: the spool, the receipts, the blobs and indexes of the two stores."""
