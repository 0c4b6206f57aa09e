"""One description of a job: what is run, on what, with which values. docs/jobs.md is the guide."""

from accelsim.job.reader import blamed, checked, job_of, job_yaml, load_job, merged, plain_job
from accelsim.job.record import VERBS, Job, Option, options

__all__ = [
    "VERBS",
    "Job",
    "Option",
    "blamed",
    "checked",
    "job_of",
    "job_yaml",
    "load_job",
    "merged",
    "options",
    "plain_job",
]
