"""The figures that `seed-server metrics` tells, and how many of each there may be. Pure."""

from p2pdist.shared.metrics import Metric

MOST_NAMED_SITES = 100  # of the label ``site``: those with the most PCs; a page of 3,000 lines at most
MOST_ROLLOUTS = 20  # that go on: the newest
UNSEEN_DAYS = 3  # a PC that was not seen for so long is silent, as for the shipped rings
STEPS_MINUTES = 5  # of what PCs have reported lately

SERVER_METRICS = (
    Metric("seed_server_info", "gauge", "Always 1; the label says which release runs the command", ("version",)),
    Metric("seed_server_serving", "gauge", "Whether 'seed-server serve' runs on this home: 1 or 0"),
    Metric("seed_server_problems", "gauge", "Problems that 'seed-server status' shows; urgent: it harms already",
           ("urgent",)),
    Metric("seed_server_pcs", "gauge", f"Enrolled PCs by state; silent: not seen for {UNSEEN_DAYS} days", ("state",)),
    Metric("seed_server_pcs_refusing", "gauge", "Connected PCs that refuse what is signed here"),
    Metric("seed_server_pcs_shared_identity", "gauge", "PCs whose identity several PCs show"),
    Metric("seed_server_site_pcs", "gauge", "PCs that are allowed here, by site", ("site", "state")),
    Metric("seed_server_patches", "gauge", "Publications by what PCs are told of them", ("state",)),
    Metric("seed_server_patches_damaged", "gauge", "Patches whose file cannot be served"),
    Metric("seed_server_pc_patches", "gauge", "PCs times patches that are offered, by how far the PC is", ("state",)),
    Metric("seed_server_recent_steps", "gauge",
           f"Steps that PCs have reported in the last {STEPS_MINUTES} minutes: a patch fetched, installed, failed"),
    Metric("seed_server_rollouts", "gauge", "Rollouts by state", ("state",)),
    Metric("seed_server_rollout_pcs", "gauge", "PCs of a rollout that goes on, by ring and outcome",
           ("rollout", "patch", "ring", "outcome")),
    Metric("seed_server_line_bytes_total", "counter", "Payload bytes that this server has sent to a site", ("site",)),
    Metric("seed_server_line_rate_bytes_per_second", "gauge", "What a site that is sent to now may be sent, headers "
           "included", ("site",)),
    Metric("seed_server_line_limiter_seconds_total", "counter", "Time under each reason for a site's rate",
           ("site", "reason")),
    Metric("seed_server_line_sending_seconds_total", "counter", "Time in which a site was sent to", ("site",)),
    Metric("seed_server_line_yield_seconds_total", "counter", "Of that, time in which others had the line", ("site",)),
    Metric("seed_server_site_harm_pauses_total", "counter", "Pauses because a site's business suffered while patches "
           "were sent", ("site",)),
    Metric("seed_server_site_harm_pause_seconds", "gauge", "For how long a site's leasing still pauses for that",
           ("site",)),
    Metric("seed_server_metadata_expires_timestamp_seconds", "gauge", "When the signed metadata of a role expires, in "
           "seconds since 1970", ("role",)),
    Metric("seed_server_authority_expires_timestamp_seconds", "gauge", "When the authority that signs PCs' "
           "certificates ends, in seconds since 1970"),
    Metric("seed_server_backup_timestamp_seconds", "gauge", "When the server was as its last backup has it, in seconds "
           "since 1970; missing: it was never backed up"),
    Metric("seed_server_disk_used_bytes", "gauge", "What the home takes on the disk, by kind", ("kind",)),
    Metric("seed_server_disk_free_bytes", "gauge", "Free on the disk of the home"),
    Metric("seed_server_disk_size_bytes", "gauge", "Size of the disk of the home"),
    Metric("seed_server_audit_entries_total", "counter", "Entries of the audit log"),
    Metric("seed_server_prepared_bundles", "gauge", "Bundles that wait for signatures"),
    Metric("seed_server_webhook_events", "gauge", "Events of a webhook that wait to be sent, or were given up (dead)",
           ("webhook", "state")),
    Metric("seed_server_webhook_behind_entries", "gauge", "Entries of the audit log that are not looked at yet for a "
           "webhook", ("webhook",)),
    Metric("seed_server_webhook_failing_seconds", "gauge", "For how long every attempt to send to a webhook has "
           "failed; 0: the last one was taken, or there was none", ("webhook",)),
    Metric("seed_server_webhook_stopped", "gauge", "Whether nothing is sent to a webhook: 1 or 0; paused by a person, "
           "or its receiver is gone", ("webhook", "why")),
)  # fmt: skip
"""Every figure, in the order of the page."""
