"""What parts cost: joules, watts and square metres, from tables with their sources. Knows no chip."""
