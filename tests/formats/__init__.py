"""Number formats and accumulation."""
