"""The movements between the tiers as Dagster assets: one factory per tier over the contracts, thin."""
