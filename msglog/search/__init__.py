"""Full-text search: a derived index beside the store, and the queries that it answers."""
