"""What is durable: policy for the spool, the receipts and the stores, over engines that keep rows and blobs."""
