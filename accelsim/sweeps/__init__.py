"""Running a sweep: points from a spec, evaluated by an executor, kept in a store."""
