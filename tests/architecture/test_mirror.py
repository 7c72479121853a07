"""Tests stand where their modules do: `p2pdist/install/plan.py` has `tests/unit/p2pdist/install/test_plan.py`.

What is tested elsewhere, with its neighbours or with real parts, has a row below: one a line, sorted.
"""

import functools
import re
from pathlib import Path

from tests.helpers.sources import PACKAGES, ROOT, files_of, imports_of, module_of, tree_of

UNIT = ROOT / "tests" / "unit"

# module: the file that tests it
TESTED_IN = {
    "bandwidth/commands/completing.py": "tests/unit/bandwidth/commands/test_shipped_commands.py",
    "bandwidth/commands/console.py": "tests/unit/bandwidth/commands/test_picture_file.py",
    "bandwidth/commands/profile_views.py": "tests/unit/bandwidth/commands/test_profile_commands.py",
    "bandwidth/commands/simulator_views.py": "tests/unit/bandwidth/commands/test_simulator_commands.py",
    "bandwidth/core/decision.py": "tests/unit/bandwidth/core/test_controller.py",
    "bandwidth/core/line_memory.py": "tests/unit/bandwidth/core/test_capacity.py",
    "bandwidth/pictures/standard_output.py": "tests/field/test_outputs.py",
    "bandwidth/pictures/svg.py": "tests/unit/bandwidth/pictures/test_plot.py",
    "bandwidth/profiles/model.py": "tests/unit/bandwidth/profiles/test_parse.py",
    "bandwidth/profiles/precedence.py": "tests/unit/bandwidth/profiles/test_profile_properties.py",
    "bandwidth/profiles/shipped/__init__.py": "tests/unit/bandwidth/profiles/test_parse.py",
    "bandwidth/profiles/values.py": "tests/unit/bandwidth/profiles/test_parse.py",
    "bandwidth/profiles/week.py": "tests/unit/bandwidth/pictures/test_week.py",
    "bandwidth/simulator/building.py": "tests/simulation/test_simulator_validation.py",
    "bandwidth/simulator/flows/bbr.py": "tests/unit/bandwidth/simulator/test_senders.py",
    "bandwidth/simulator/flows/cubic.py": "tests/unit/bandwidth/simulator/test_ours.py",
    "bandwidth/simulator/flows/on_off.py": "tests/simulation/test_simulator_validation.py",
    "bandwidth/simulator/flows/tcp.py": "tests/unit/bandwidth/simulator/test_senders.py",
    "bandwidth/simulator/flows/video.py": "tests/unit/bandwidth/commands/test_simulator_commands.py",
    "bandwidth/simulator/flows/voip.py": "tests/unit/bandwidth/simulator/test_senders.py",
    "bandwidth/simulator/flows/web.py": "tests/unit/bandwidth/commands/test_simulator_commands.py",
    "bandwidth/simulator/packets.py": "tests/unit/bandwidth/simulator/test_link.py",
    "bandwidth/simulator/path.py": "tests/unit/bandwidth/simulator/flows/test_video_call.py",
    "bandwidth/simulator/ping.py": "tests/unit/bandwidth/simulator/test_ours.py",
    "bandwidth/simulator/policy.py": "tests/unit/bandwidth/commands/test_simulator_commands.py",
    "bandwidth/simulator/queues.py": "tests/unit/bandwidth/simulator/test_link.py",
    "bandwidth/simulator/rivals/delay.py": "tests/unit/bandwidth/simulator/test_senders.py",
    "bandwidth/simulator/rivals/fixed_share.py": "tests/unit/bandwidth/commands/test_simulator_commands.py",
    "bandwidth/simulator/rivals/ledbat.py": "tests/unit/bandwidth/simulator/test_senders.py",
    "bandwidth/simulator/rivals/ledbat_pp.py": "tests/unit/bandwidth/simulator/test_senders.py",
    "bandwidth/simulator/rivals/tcp_lp.py": "tests/unit/bandwidth/simulator/test_senders.py",
    "bandwidth/simulator/scenario.py": "tests/simulation/test_simulator_validation.py",
    "p2pdist/__init__.py": "tests/unit/p2pdist/commands/test_main.py",
    "p2pdist/commands/daemon_commands.py": "tests/unit/p2pdist/commands/test_main.py",
    "p2pdist/commands/look_commands.py": "tests/unit/p2pdist/commands/test_main.py",
    "p2pdist/commands/status_view.py": "tests/unit/p2pdist/commands/test_main.py",
    "p2pdist/daemon/composition.py": "tests/unit/p2pdist/daemon/test_with_seed_server.py",
    "p2pdist/daemon/core.py": "tests/unit/p2pdist/daemon/test_with_seed_server.py",
    "p2pdist/daemon/engine_events.py": "tests/unit/p2pdist/daemon/test_with_seed_server.py",
    "p2pdist/daemon/state.py": "tests/unit/p2pdist/daemon/test_with_seed_server.py",
    "p2pdist/doctor/answers.py": "tests/unit/p2pdist/doctor/test_judgement.py",
    "p2pdist/doctor/facts.py": "tests/unit/p2pdist/doctor/test_judgement.py",
    "p2pdist/doctor/lan_findings.py": "tests/unit/p2pdist/doctor/test_judgement.py",
    "p2pdist/doctor/pc_findings.py": "tests/unit/p2pdist/doctor/test_judgement.py",
    "p2pdist/doctor/way_findings.py": "tests/unit/p2pdist/doctor/test_judgement.py",
    "p2pdist/identity/renewal.py": "tests/unit/p2pdist/identity/test_enrolment.py",
    "p2pdist/identity/server_answers.py": "tests/unit/p2pdist/identity/test_enrolment.py",
    "p2pdist/install/executor.py": "tests/unit/p2pdist/install/test_loop.py",
    "p2pdist/install/findings.py": "tests/unit/p2pdist/install/test_verdict.py",
    "p2pdist/install/journal_notes.py": "tests/unit/p2pdist/install/test_loop.py",
    "p2pdist/install/limits.py": "tests/unit/p2pdist/install/test_archive.py",
    "p2pdist/install/package_manager.py": "tests/install/test_dpkg.py",
    "p2pdist/install/process_records.py": "tests/unit/p2pdist/install/test_loop.py",
    "p2pdist/install/processes.py": "tests/unit/p2pdist/install/test_installer.py",
    "p2pdist/install/proven_files.py": "tests/unit/p2pdist/install/test_installer.py",
    "p2pdist/install/requests.py": "tests/unit/p2pdist/install/test_loop.py",
    "p2pdist/install/restarter.py": "tests/unit/p2pdist/install/test_loop.py",
    "p2pdist/install/stopping.py": "tests/unit/p2pdist/install/test_loop.py",
    "p2pdist/install/supervised_processes.py": "tests/install/test_supervisor_kills.py",
    "p2pdist/install/supervision.py": "tests/unit/p2pdist/install/test_own_upgrade.py",
    "p2pdist/install/undoing.py": "tests/unit/p2pdist/install/test_loop.py",
    "p2pdist/install/unpacking.py": "tests/unit/p2pdist/install/test_archive.py",
    "p2pdist/local_api/delivery_answers.py": "tests/unit/p2pdist/local_api/test_messages.py",
    "p2pdist/local_api/disk_answer.py": "tests/unit/p2pdist/daemon/test_disk_keeper.py",
    "p2pdist/local_api/doctor_answers.py": "tests/unit/p2pdist/doctor/test_judgement.py",
    "p2pdist/local_api/install_answers.py": "tests/unit/p2pdist/local_api/test_messages.py",
    "p2pdist/local_api/peer.py": "tests/unit/p2pdist/local_api/test_users_socket.py",
    "p2pdist/local_api/server_answers.py": "tests/unit/p2pdist/local_api/test_messages.py",
    "p2pdist/neighbours/discovery.py": "tests/swarm/test_discovery.py",
    "p2pdist/neighbours/few_pieces.py": "tests/unit/p2pdist/neighbours/test_peer_book.py",
    "p2pdist/neighbours/finder.py": "tests/swarm/test_discovery.py",
    "p2pdist/neighbours/known_peer.py": "tests/unit/p2pdist/neighbours/test_peer_book.py",
    "p2pdist/neighbours/retries.py": "tests/unit/p2pdist/neighbours/test_peer_book.py",
    "p2pdist/network/__main__.py": "tests/unit/p2pdist/network/test_process.py",
    "p2pdist/network/child_process.py": "tests/unit/p2pdist/network/test_process.py",
    "p2pdist/network/part.py": "tests/unit/p2pdist/network/test_process.py",
    "p2pdist/network/remote_finder.py": "tests/unit/p2pdist/network/test_process.py",
    "p2pdist/network/services.py": "tests/unit/p2pdist/network/test_process.py",
    "p2pdist/network/window.py": "tests/unit/p2pdist/network/test_process.py",
    "p2pdist/origin/connection.py": "tests/unit/p2pdist/origin/test_client.py",
    "p2pdist/origin/opening.py": "tests/unit/p2pdist/origin/test_client.py",
    "p2pdist/pc/inventory_linux.py": "tests/unit/p2pdist/pc/test_inventory.py",
    "p2pdist/pc/inventory_macos.py": "tests/unit/p2pdist/pc/test_inventory.py",
    "p2pdist/pc/inventory_windows.py": "tests/unit/p2pdist/pc/test_inventory.py",
    "p2pdist/pc/kernel_files.py": "tests/unit/p2pdist/pc/test_network_look.py",
    "p2pdist/pc/link_neighbours.py": "tests/unit/p2pdist/pc/test_link_neighbours_linux.py",
    "p2pdist/pc/local_facts.py": "tests/field/test_batteries.py",
    "p2pdist/pc/netlink_dump.py": "tests/unit/p2pdist/limiter/test_sock_diag.py",
    "p2pdist/pc/network.py": "tests/unit/p2pdist/pc/test_network_look.py",
    "p2pdist/pc/network_look_linux.py": "tests/unit/p2pdist/pc/test_network_look.py",
    "p2pdist/pc/network_look_other.py": "tests/unit/p2pdist/pc/test_network_look.py",
    "p2pdist/pc/power.py": "tests/field/test_batteries.py",
    "p2pdist/pc/power_linux.py": "tests/field/test_batteries.py",
    "p2pdist/pc/power_windows.py": "tests/field/test_batteries.py",
    "p2pdist/shared/clock.py": "tests/unit/p2pdist/daemon/test_with_seed_server.py",
    "p2pdist/shared/default_group.py": "tests/unit/seed_server/commands/test_token_commands.py",
    "p2pdist/shared/findings_screen.py": "tests/unit/p2pdist/commands/test_doctor_command.py",
    "p2pdist/shared/json_units.py": "tests/architecture/test_json_doc.py",
    "p2pdist/shared/lazy_log.py": "tests/unit/seed_server/commands/test_wanted_log.py",
    "p2pdist/shared/logs.py": "tests/unit/p2pdist/shared/test_console.py",
    "p2pdist/shared/manifest/expression.py": "tests/unit/p2pdist/shared/manifest/test_applicability.py",
    "p2pdist/shared/manifest/recipe_checks.py": "tests/unit/p2pdist/shared/manifest/test_recipe.py",
    "p2pdist/shared/manifest/relations.py": "tests/unit/p2pdist/install/test_order.py",
    "p2pdist/shared/manifest/site_profile.py": "tests/unit/p2pdist/daemon/test_answers.py",
    "p2pdist/shared/server_extra.py": "tests/unit/seed_server/commands/test_init_publish.py",
    "p2pdist/shared/toml_misfits.py": "tests/unit/p2pdist/shared/test_toml_config.py",
    "p2pdist/shared/wire/custody.py": "tests/unit/p2pdist/daemon/test_custody_news.py",
    "p2pdist/shared/wire/data_messages.py": "tests/unit/p2pdist/shared/wire/test_messages.py",
    "p2pdist/shared/wire/fields.py": "tests/unit/p2pdist/shared/wire/test_messages.py",
    "p2pdist/shared/wire/line_messages.py": "tests/unit/p2pdist/shared/wire/test_messages.py",
    "p2pdist/shared/wire/neighbours_seen.py": "tests/unit/p2pdist/shared/wire/test_messages.py",
    "p2pdist/shared/wire/pc_findings.py": "tests/unit/p2pdist/daemon/test_finding_news.py",
    "p2pdist/shared/wire/signed_files.py": "tests/unit/seed_server/origin/test_lost_files.py",
    "p2pdist/shared/wire/spare_copies.py": "tests/faults/origin_port/test_spare_copies.py",
    "p2pdist/shared/wire/witness.py": "tests/unit/seed_server/origin/test_log_proofs.py",
    "p2pdist/status/reasons.py": "tests/unit/p2pdist/status/test_why.py",
    "p2pdist/transfer/cache.py": "tests/swarm/test_transfers.py",
    "p2pdist/transfer/engine.py": "tests/swarm/test_transfers.py",
    "p2pdist/transfer/eviction.py": "tests/property/test_eviction.py",
    "p2pdist/transfer/fault_log.py": "tests/field/test_volumes.py",
    "p2pdist/transfer/faults.py": "tests/unit/p2pdist/status/test_view.py",
    "p2pdist/transfer/made_torrents.py": "tests/unit/p2pdist/transfer/test_shared_news.py",
    "p2pdist/transfer/proving.py": "tests/swarm/test_transfers.py",
    "p2pdist/transfer/records.py": "tests/swarm/test_transfers.py",
    "p2pdist/transfer/torrent_engine/__init__.py": "tests/swarm/test_torrent_engine.py",
    "p2pdist/transfer/torrent_engine/alerts.py": "tests/swarm/test_torrent_engine.py",
    "p2pdist/transfer/torrent_engine/bindings.py": "tests/swarm/test_torrent_engine.py",
    "p2pdist/transfer/torrent_engine/engine.py": "tests/swarm/test_torrent_engine.py",
    "p2pdist/transfer/torrent_engine/peer_reasons.py": "tests/swarm/test_torrent_engine.py",
    "p2pdist/transfer/torrent_engine/reports.py": "tests/swarm/test_torrent_engine.py",
    "p2pdist/transfer/torrent_engine/session.py": "tests/swarm/test_torrent_engine.py",
    "p2pdist/transfer/torrent_engine/settings.py": "tests/swarm/test_lan_limits.py",
    "p2pdist/transfer/torrent_engine/tls_policy.py": "tests/adversary/test_lan_port.py",
    "p2pdist/transfer/unshared.py": "tests/unit/p2pdist/transfer/test_parcels.py",
    "p2pdist/trust/errors.py": "tests/adversary/test_tuf_metadata.py",
    "p2pdist/trust/files.py": "tests/unit/p2pdist/trust/test_store.py",
    "p2pdist/trust/http_answers.py": "tests/unit/p2pdist/trust/test_https_client.py",
    "p2pdist/trust/site_documents.py": "tests/unit/p2pdist/trust/test_store.py",
    "p2pdist/trust/tls_contexts.py": "tests/unit/p2pdist/trust/test_https_client.py",
    "p2pdist/trust/tuf_session.py": "tests/adversary/test_failed_refresh.py",
    "seed_server/answers/audit.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/audit_documents.py": "tests/unit/seed_server/commands/test_audit_commands.py",
    "seed_server/answers/backups.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/bundles.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/custody.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/disk.py": "tests/unit/seed_server/commands/test_disk_commands.py",
    "seed_server/answers/disk_documents.py": "tests/unit/seed_server/commands/test_disk_commands.py",
    "seed_server/answers/doctor.py": "tests/unit/seed_server/commands/test_doctor_commands.py",
    "seed_server/answers/endpoint.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/endpoint_documents.py": "tests/unit/seed_server/commands/test_endpoints_view.py",
    "seed_server/answers/fleet.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/history.py": "tests/unit/seed_server/commands/test_archive_commands.py",
    "seed_server/answers/history_documents.py": "tests/unit/seed_server/commands/test_archive_commands.py",
    "seed_server/answers/inventory.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/inventory_documents.py": "tests/unit/seed_server/commands/test_inventory_view.py",
    "seed_server/answers/moving.py": "tests/unit/seed_server/commands/test_move_commands.py",
    "seed_server/answers/offer_documents.py": "tests/unit/seed_server/commands/test_offer_commands.py",
    "seed_server/answers/offers.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/operations.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/people.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/people_documents.py": "tests/unit/seed_server/commands/test_people_commands.py",
    "seed_server/answers/rollout_documents.py": "tests/unit/seed_server/commands/test_rollout_commands.py",
    "seed_server/answers/rollouts.py": "tests/unit/seed_server/commands/test_rollout_commands.py",
    "seed_server/answers/signed.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/signed_documents.py": "tests/unit/seed_server/commands/test_template_commands.py",
    "seed_server/answers/site_documents.py": "tests/unit/seed_server/commands/test_sites_view.py",
    "seed_server/answers/standing.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/answers/standing_documents.py": "tests/unit/seed_server/commands/test_status_output.py",
    "seed_server/answers/status_documents.py": "tests/unit/seed_server/commands/test_status_output.py",
    "seed_server/answers/token_documents.py": "tests/unit/seed_server/commands/test_token_commands.py",
    "seed_server/automation/apply_changes.py": "tests/unit/seed_server/automation/test_apply_plan.py",
    "seed_server/automation/apply_documents.py": "tests/unit/seed_server/automation/test_apply_plan.py",
    "seed_server/automation/declared_export.py": "tests/unit/seed_server/automation/test_applying.py",
    "seed_server/automation/declared_present.py": "tests/unit/seed_server/automation/test_applying.py",
    "seed_server/automation/metrics_table.py": "tests/unit/seed_server/automation/test_metrics.py",
    "seed_server/automation/webhook_documents.py": "tests/unit/seed_server/commands/test_webhook_commands.py",
    "seed_server/automation/webhook_queries.py": "tests/unit/seed_server/automation/test_webhook_operations.py",
    "seed_server/automation/webhook_secrets.py": "tests/unit/seed_server/automation/test_webhook_operations.py",
    "seed_server/backup/needed_keys.py": "tests/unit/seed_server/backup/test_restoring_home.py",
    "seed_server/commands/acting.py": "tests/unit/seed_server/commands/test_people_commands.py",
    "seed_server/commands/api_token_commands.py": "tests/unit/seed_server/commands/test_people_commands.py",
    "seed_server/commands/apply_view.py": "tests/unit/seed_server/commands/test_apply_commands.py",
    "seed_server/commands/approver_commands.py": "tests/unit/seed_server/commands/test_people_commands.py",
    "seed_server/commands/endpoint_commands.py": "tests/field/test_screens.py",
    "seed_server/commands/exception_commands.py": "tests/unit/seed_server/commands/test_rollout_commands.py",
    "seed_server/commands/findings_view.py": "tests/unit/seed_server/commands/test_template_commands.py",
    "seed_server/commands/forgetting.py": "tests/field/test_screens.py",
    "seed_server/commands/history_options.py": "tests/unit/seed_server/commands/test_archive_commands.py",
    "seed_server/commands/history_view.py": "tests/unit/seed_server/commands/test_archive_commands.py",
    "seed_server/commands/inventory_commands.py": "tests/unit/seed_server/commands/test_inventory_view.py",
    "seed_server/commands/key_commands.py": "tests/unit/seed_server/commands/test_signing_commands.py",
    "seed_server/commands/login_answer.py": "tests/unit/seed_server/commands/test_login_commands.py",
    "seed_server/commands/main.py": "tests/unit/seed_server/commands/test_init_publish.py",
    "seed_server/commands/paging.py": "tests/unit/seed_server/commands/test_endpoints_view.py",
    "seed_server/commands/people_views.py": "tests/unit/seed_server/commands/test_people_commands.py",
    "seed_server/commands/plan_view.py": "tests/unit/seed_server/commands/test_plan_commands.py",
    "seed_server/commands/priority_commands.py": "tests/unit/seed_server/commands/test_intelligence_commands.py",
    "seed_server/commands/progress.py": "tests/unit/seed_server/commands/test_recipe_commands.py",
    "seed_server/commands/report_levels_view.py": "tests/unit/seed_server/commands/test_report_commands.py",
    "seed_server/commands/report_missing_view.py": "tests/unit/seed_server/commands/test_report_commands.py",
    "seed_server/commands/report_patch_view.py": "tests/unit/seed_server/commands/test_report_commands.py",
    "seed_server/commands/rollout_starting.py": "tests/unit/seed_server/commands/test_rollout_commands.py",
    "seed_server/commands/server_commands.py": "tests/unit/seed_server/commands/test_init_publish.py",
    "seed_server/commands/site_commands.py": "tests/unit/seed_server/commands/test_sites_view.py",
    "seed_server/commands/status_commands.py": "tests/unit/seed_server/commands/test_status_output.py",
    "seed_server/commands/status_pcs.py": "tests/unit/seed_server/commands/test_status_output.py",
    "seed_server/commands/texts.py": "tests/unit/seed_server/commands/test_template_commands.py",
    "seed_server/commands/webhook_views.py": "tests/unit/seed_server/commands/test_webhook_commands.py",
    "seed_server/doctor/facts.py": "tests/unit/seed_server/doctor/test_server_findings.py",
    "seed_server/doctor/port_findings.py": "tests/unit/seed_server/doctor/test_server_findings.py",
    "seed_server/fleet/api_token_operations.py": "tests/unit/seed_server/fleet/test_people_operations.py",
    "seed_server/fleet/archives.py": "tests/unit/seed_server/fleet/test_archiving.py",
    "seed_server/fleet/audit_queries.py": "tests/unit/seed_server/commands/test_audit_commands.py",
    "seed_server/fleet/clock_doubt.py": "tests/unit/seed_server/service/test_disk_upkeep.py",
    "seed_server/fleet/context.py": "tests/unit/seed_server/fleet/test_operations.py",
    "seed_server/fleet/custody_queries.py": "tests/unit/seed_server/commands/test_custody_commands.py",
    "seed_server/fleet/disk_usage.py": "tests/unit/seed_server/commands/test_disk_commands.py",
    "seed_server/fleet/document_operations.py": "tests/unit/seed_server/automation/test_applying.py",
    "seed_server/fleet/exception_operations.py": "tests/unit/seed_server/fleet/test_rollout_engine.py",
    "seed_server/fleet/fleet_problem.py": "tests/unit/seed_server/fleet/test_intelligence_problems.py",
    "seed_server/fleet/history_queries.py": "tests/unit/seed_server/commands/test_archive_commands.py",
    "seed_server/fleet/id_token.py": "tests/unit/seed_server/fleet/test_identity_provider.py",
    "seed_server/fleet/intelligence_age.py": "tests/unit/seed_server/fleet/test_intelligence_problems.py",
    "seed_server/fleet/inventory_answer.py": "tests/property/test_inventory_answers.py",
    "seed_server/fleet/known_inventories.py": "tests/property/test_inventory_answers.py",
    "seed_server/fleet/known_names.py": "tests/unit/seed_server/commands/test_completing.py",
    "seed_server/fleet/legal_holds.py": "tests/unit/seed_server/fleet/test_archiving.py",
    "seed_server/fleet/paging.py": "tests/unit/seed_server/fleet/test_endpoint_pages.py",
    "seed_server/fleet/people_checks.py": "tests/unit/seed_server/fleet/test_people_operations.py",
    "seed_server/fleet/people_queries.py": "tests/unit/seed_server/commands/test_people_commands.py",
    "seed_server/fleet/preparing.py": "tests/unit/seed_server/commands/test_signing_commands.py",
    "seed_server/fleet/problems.py": "tests/field/test_screens.py",
    "seed_server/fleet/rehearsed.py": "tests/unit/seed_server/web/api/test_batches.py",
    "seed_server/fleet/rollout_announcing.py": "tests/unit/seed_server/fleet/test_rollout_engine.py",
    "seed_server/fleet/rollout_documents.py": "tests/unit/seed_server/fleet/test_rollout_engine.py",
    "seed_server/fleet/rollout_operations.py": "tests/unit/seed_server/fleet/test_rollout_engine.py",
    "seed_server/fleet/rollout_queries.py": "tests/unit/seed_server/commands/test_rollout_commands.py",
    "seed_server/fleet/rollout_starting.py": "tests/unit/seed_server/commands/test_init_publish.py",
    "seed_server/fleet/saved_logins.py": "tests/unit/seed_server/commands/test_login_commands.py",
    "seed_server/fleet/shipped_rings/__init__.py": "tests/unit/seed_server/fleet/test_ring_templates.py",
    "seed_server/fleet/sites.py": "tests/unit/seed_server/fleet/test_queries.py",
    "seed_server/fleet/status.py": "tests/unit/seed_server/commands/test_status_output.py",
    "seed_server/fleet/unmanaged.py": "tests/unit/seed_server/commands/test_unmanaged_view.py",
    "seed_server/initialising.py": "tests/unit/seed_server/commands/test_init_publish.py",
    "seed_server/leasing/help.py": "tests/unit/seed_server/leasing/test_claims.py",
    "seed_server/leasing/leases.py": "tests/unit/seed_server/leasing/test_ledger.py",
    "seed_server/leasing/spares.py": "tests/property/test_spares.py",
    "seed_server/leasing/times.py": "tests/unit/seed_server/leasing/test_ledger.py",
    "seed_server/line/round_trips.py": "tests/unit/seed_server/line/test_site_sample.py",
    "seed_server/line/site_law.py": "tests/unit/seed_server/line/test_site_rate.py",
    "seed_server/line/site_map_file.py": "tests/faults/test_edited_files.py",
    "seed_server/line/socket_look.py": "tests/unit/seed_server/line/test_site_sample.py",
    "seed_server/origin/answers.py": "tests/faults/origin_port/test_news.py",
    "seed_server/origin/connection.py": "tests/faults/origin_port/test_slow_and_silent.py",
    "seed_server/origin/control.py": "tests/faults/origin_port/test_bad_frames.py",
    "seed_server/origin/guarded.py": "tests/faults/origin_port/test_bad_frames.py",
    "seed_server/origin/inventory_turns.py": "tests/unit/seed_server/origin/test_inventories.py",
    "seed_server/origin/limits.py": "tests/faults/origin_port/test_slow_and_silent.py",
    "seed_server/origin/line_watch.py": "tests/unit/seed_server/origin/test_steering.py",
    "seed_server/origin/made_row.py": "tests/unit/seed_server/origin/test_parcel_torrents.py",
    "seed_server/origin/outside_log.py": "tests/adversary/test_origin_port.py",
    "seed_server/origin/port_parts.py": "tests/faults/origin_port/test_bad_frames.py",
    "seed_server/origin/published.py": "tests/unit/seed_server/service/test_unknown_pcs.py",
    "seed_server/origin/sender.py": "tests/faults/origin_port/test_leases.py",
    "seed_server/origin/server.py": "tests/faults/origin_port/test_start_and_stop.py",
    "seed_server/origin/session.py": "tests/unit/seed_server/origin/test_site.py",
    "seed_server/origin/spare_copies.py": "tests/faults/origin_port/test_spare_copies.py",
    "seed_server/ports/peer_certificate.py": "tests/faults/origin_port/test_who_may_connect.py",
    "seed_server/publishing/archive_contents.py": "tests/field/test_published_contents.py",
    "seed_server/publishing/content_needs.py": "tests/unit/seed_server/publishing/test_content_upkeep.py",
    "seed_server/publishing/contents.py": "tests/field/test_published_contents.py",
    "seed_server/publishing/findings.py": "tests/unit/seed_server/publishing/test_examination.py",
    "seed_server/publishing/inspect_archive.py": "tests/property/test_inspectors.py",
    "seed_server/publishing/inspect_file.py": "tests/property/test_inspectors.py",
    "seed_server/publishing/inspect_script.py": "tests/property/test_inspectors.py",
    "seed_server/publishing/publish_lock.py": "tests/unit/seed_server/publishing/test_content_upkeep.py",
    "seed_server/publishing/recipe_contents.py": "tests/field/test_published_contents.py",
    "seed_server/publishing/room.py": "tests/faults/test_server_disk_full.py",
    "seed_server/reporting/answering.py": "tests/unit/seed_server/reporting/test_service_level_queries.py",
    "seed_server/reporting/documents.py": "tests/unit/seed_server/commands/test_report_commands.py",
    "seed_server/reporting/held_pcs.py": "tests/unit/seed_server/reporting/test_missing_queries.py",
    "seed_server/reporting/intelligence_formats.py": "tests/unit/seed_server/reporting/test_intelligence_epss.py",
    "seed_server/reporting/intelligence_queries.py": "tests/unit/seed_server/reporting/test_intelligence_operations.py",
    "seed_server/reporting/judged_patches.py": "tests/unit/seed_server/reporting/test_service_level_queries.py",
    "seed_server/reporting/page_making.py": "tests/unit/seed_server/reporting/test_pages.py",
    "seed_server/reporting/pictures.py": "tests/unit/seed_server/reporting/test_pages.py",
    "seed_server/reporting/plan_company.py": "tests/unit/seed_server/reporting/test_plan_answers.py",
    "seed_server/reporting/plan_documents.py": "tests/unit/seed_server/reporting/test_plan_answers.py",
    "seed_server/reporting/plan_draws.py": "tests/unit/seed_server/reporting/test_plan_model.py",
    "seed_server/reporting/plan_facts.py": "tests/unit/seed_server/reporting/test_plan_model.py",
    "seed_server/reporting/plan_limits.py": "tests/unit/seed_server/reporting/test_plan_answers.py",
    "seed_server/reporting/plan_queries.py": "tests/unit/seed_server/reporting/test_plan_answers.py",
    "seed_server/reporting/plan_weeks.py": "tests/unit/seed_server/reporting/test_plan_presence.py",
    "seed_server/reporting/priority_documents.py": "tests/unit/seed_server/commands/test_documents.py",
    "seed_server/reporting/shipped_priority/__init__.py": "tests/unit/seed_server/reporting/test_priority_table.py",
    "seed_server/service/__main__.py": "tests/faults/test_server_parts.py",
    "seed_server/service/api_part.py": "tests/faults/test_api_part.py",
    "seed_server/service/origin_part.py": "tests/faults/test_server_parts.py",
    "seed_server/service/part.py": "tests/faults/test_server_parts.py",
    "seed_server/service/supervisor.py": "tests/faults/test_server_parts.py",
    "seed_server/service/web_part.py": "tests/faults/test_server_parts.py",
    "seed_server/service/web_requests.py": "tests/unit/seed_server/service/test_answers_line.py",
    "seed_server/settings/addresses.py": "tests/unit/seed_server/commands/test_init_publish.py",
    "seed_server/settings/home.py": "tests/unit/seed_server/commands/test_init_publish.py",
    "seed_server/settings/priority_section.py": "tests/unit/seed_server/reporting/test_priority_table.py",
    "seed_server/settings/server_toml.py": "tests/unit/seed_server/commands/test_init_publish.py",
    "seed_server/signer/memory.py": "tests/adversary/test_signing_elsewhere.py",
    "seed_server/signer/new_key.py": "tests/unit/seed_server/commands/test_signing_commands.py",
    "seed_server/signer/payloads.py": "tests/adversary/test_signing_elsewhere.py",
    "seed_server/signer/review.py": "tests/adversary/test_signing_elsewhere.py",
    "seed_server/signing/bundle_check.py": "tests/adversary/test_signing_elsewhere.py",
    "seed_server/signing/commit_recorder.py": "tests/unit/seed_server/fleet/test_audit_log.py",
    "seed_server/signing/documents.py": "tests/unit/seed_server/signing/test_profiles.py",
    "seed_server/signing/handing_in.py": "tests/unit/seed_server/origin/test_lost_files.py",
    "seed_server/signing/listed_documents.py": "tests/unit/seed_server/signing/test_repository.py",
    "seed_server/signing/metadata.py": "tests/unit/seed_server/signing/test_repository.py",
    "seed_server/signing/prepared_bundles.py": "tests/unit/seed_server/signing/test_proposals.py",
    "seed_server/signing/presented.py": "tests/unit/seed_server/signing/test_adoption.py",
    "seed_server/signing/repository_files.py": "tests/unit/seed_server/signing/test_repository.py",
    "seed_server/signing/repository_writer.py": "tests/unit/seed_server/signing/test_repository.py",
    "seed_server/signing/servers.py": "tests/unit/seed_server/fleet/test_moving.py",
    "seed_server/signing/signed_repository.py": "tests/unit/seed_server/signing/test_repository.py",
    "seed_server/signing/templates.py": "tests/unit/seed_server/commands/test_template_commands.py",
    "seed_server/signing/thresholds.py": "tests/unit/seed_server/signing/test_proposals.py",
    "seed_server/store/audit_entry.py": "tests/unit/seed_server/fleet/test_audit_log.py",
    "seed_server/store/beginnings.py": "tests/unit/seed_server/commands/test_completing.py",
    "seed_server/store/columns.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/count_rows.py": "tests/unit/seed_server/store/test_fleet_counts.py",
    "seed_server/store/diagnoses.py": "tests/unit/seed_server/store/test_database.py",
    "seed_server/store/endpoint_cards.py": "tests/unit/seed_server/fleet/test_endpoint_card.py",
    "seed_server/store/event_rows.py": "tests/unit/seed_server/store/test_month_file.py",
    "seed_server/store/file_lock.py": "tests/unit/seed_server/publishing/test_publish.py",
    "seed_server/store/follow_up_rows.py": "tests/unit/seed_server/store/test_done_tallies.py",
    "seed_server/store/intelligence_records.py": "tests/unit/seed_server/store/test_intelligence_rows.py",
    "seed_server/store/interned.py": "tests/unit/seed_server/store/test_standing_rows.py",
    "seed_server/store/inventory_sets.py": "tests/property/test_inventory_answers.py",
    "seed_server/store/migrations/__init__.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0001_narrow_rows.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0001_tables.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0002_rollouts.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0002_tables.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0004_event_months.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0005_inventories.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0006_idle_content.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0007_known_servers.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0008_neighbours.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0009_bounded_pcs.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0010_idempotency.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0011_webhooks.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0012_reports.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0013_intelligence.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/migrations/r0014_plans.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/missing_rows.py": "tests/unit/seed_server/reporting/test_missing_queries.py",
    "seed_server/store/new_files.py": "tests/unit/seed_server/store/test_trust_news.py",
    "seed_server/store/patches.py": "tests/unit/seed_server/store/test_database.py",
    "seed_server/store/people_rows.py": "tests/unit/seed_server/store/test_people.py",
    "seed_server/store/piece_source.py": "tests/faults/origin_port/test_damaged_payload.py",
    "seed_server/store/plan_rows.py": "tests/unit/seed_server/origin/test_line_hours.py",
    "seed_server/store/published_files.py": "tests/unit/seed_server/web/test_app.py",
    "seed_server/store/report_rows.py": "tests/unit/seed_server/store/test_done_tallies.py",
    "seed_server/store/restored_mark.py": "tests/unit/seed_server/fleet/test_restoring.py",
    "seed_server/store/rollout_records.py": "tests/unit/seed_server/fleet/test_rollout_engine.py",
    "seed_server/store/rollout_rows.py": "tests/unit/seed_server/fleet/test_rollout_engine.py",
    "seed_server/store/rows.py": "tests/unit/seed_server/store/test_database.py",
    "seed_server/store/serve_lock.py": "tests/unit/seed_server/commands/test_init_publish.py",
    "seed_server/store/software_rows.py": "tests/unit/seed_server/store/test_inventory.py",
    "seed_server/store/tables_api.py": "tests/unit/seed_server/store/test_idempotency.py",
    "seed_server/store/tables_audit.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/tables_content.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/tables_custody.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/tables_events.py": "tests/unit/seed_server/store/test_event_months.py",
    "seed_server/store/tables_facts.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/tables_intelligence.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/tables_inventory.py": "tests/unit/seed_server/store/test_inventory.py",
    "seed_server/store/tables_people.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/tables_plans.py": "tests/unit/seed_server/store/test_line_hours.py",
    "seed_server/store/tables_reporting.py": "tests/unit/seed_server/store/test_done_tallies.py",
    "seed_server/store/tables_rollouts.py": "tests/unit/seed_server/store/test_upgrading.py",
    "seed_server/store/tables_servers.py": "tests/unit/seed_server/store/test_known_servers.py",
    "seed_server/store/tables_webhooks.py": "tests/unit/seed_server/store/test_webhook_rows.py",
    "seed_server/store/token_names.py": "tests/unit/seed_server/store/test_tokens.py",
    "seed_server/store/transactions.py": "tests/unit/seed_server/store/test_database.py",
    "seed_server/store/webhook_records.py": "tests/unit/seed_server/store/test_webhook_rows.py",
    "seed_server/web/api/__init__.py": "tests/unit/seed_server/web/api/test_table.py",
    "seed_server/web/api/app.py": "tests/unit/seed_server/web/api/test_answering.py",
    "seed_server/web/api/documents.py": "tests/unit/seed_server/web/api/test_openapi.py",
    "seed_server/web/api/given.py": "tests/unit/seed_server/web/api/test_reading.py",
    "seed_server/web/api/route.py": "tests/unit/seed_server/web/api/test_table.py",
    "seed_server/web/api/routes_audit.py": "tests/adversary/test_api_rights.py",
    "seed_server/web/api/routes_automation.py": "tests/adversary/test_api_rights.py",
    "seed_server/web/api/routes_fleet.py": "tests/adversary/test_api_rights.py",
    "seed_server/web/api/routes_patches.py": "tests/adversary/test_api_rights.py",
    "seed_server/web/api/routes_people.py": "tests/adversary/test_api_rights.py",
    "seed_server/web/api/routes_reporting.py": "tests/adversary/test_api_rights.py",
    "seed_server/web/api/routes_signing.py": "tests/adversary/test_api_rights.py",
    "seed_server/web/client.py": "tests/unit/seed_server/web/test_app.py",
}

# file in tests/unit that has no module of its name: what it tests
OF_NO_MODULE = {
    "tests/unit/bandwidth/profiles/test_profile_properties.py": "parse, precedence, resolve and schedule together",
    "tests/unit/bandwidth/profiles/test_throttle_profiles_doc.py": "docs/throttle-profiles.md",
    "tests/unit/bandwidth/simulator/test_senders.py": "the laws in flows/ and rivals/, by numbers",
    "tests/unit/p2pdist/commands/test_json.py": "what each command prints with --json, key by key",
    "tests/unit/p2pdist/daemon/test_with_seed_server.py": "the daemon's parts against the seed server's own web port",
    "tests/unit/seed_server/commands/test_init_publish.py": "the commands of main, as a person runs them",
    "tests/unit/seed_server/leasing/test_ledger_cost.py": "what the ledger costs with many pieces and endpoints",
    "tests/unit/seed_server/store/test_on_postgresql.py": "a home whose state is in PostgreSQL",
}


def modules() -> list[Path]:
    """Return the source files with anything to test: an ``__init__.py`` that only says what its room is for has not."""
    found = (path for package in PACKAGES for path in files_of(package))
    return [path for path in found if path.name != "__init__.py" or len(tree_of(path).body) > 1]


def own_test(module: Path) -> Path:
    where = module.relative_to(ROOT)
    if where.name == "__init__.py":
        where = where.parent.with_suffix(".py")
    return UNIT / where.with_name(f"test_{where.name}")


def file_of(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@functools.cache
def imported_files(path: Path) -> frozenset[Path]:
    """Return the files of ours, helpers of the tests among them, that a file imports itself."""
    names = imports_of(path) | {name.rpartition(".")[0] for name in imports_of(path)}
    ours = (name for name in names if name.partition(".")[0] in (*PACKAGES, "tests", "bench"))
    named = re.findall(r'LazyCommand\("(\w+):', path.read_text(encoding="utf-8"))
    return frozenset(file for name in ours if (file := file_of(name))) | {path.with_name(f"{one}.py") for one in named}


@functools.cache
def reached_from(test: Path) -> frozenset[Path]:
    """Return what a test imports, also by way of others."""
    found: set[Path] = set()
    waiting = [test]
    if (fixtures := test.with_name("conftest.py")).exists():
        waiting.append(fixtures)
    while waiting:
        new = imported_files(waiting.pop()) - found
        found |= new
        waiting += new
    return frozenset(found)


MODULES = modules()
UNIT_TESTS = sorted(path for path in UNIT.rglob("test_*.py") if path.relative_to(UNIT).parts[0] in PACKAGES)


def test_every_module_says_where_it_is_tested() -> None:
    assert MODULES
    said = {str(module.relative_to(ROOT)): wrong_with(module) for module in MODULES}
    assert {where: wrong for where, wrong in said.items() if wrong} == {}


def wrong_with(module: Path) -> str:
    """Return what is wrong with where a module is tested; "" when nothing is."""
    where = str(module.relative_to(ROOT))
    if own_test(module).exists():
        return "it has a test file of its own: the row is no longer needed" if where in TESTED_IN else ""
    if where not in TESTED_IN:
        return f"write {own_test(module).relative_to(ROOT)}, or a row that says where it is tested"
    test = ROOT / TESTED_IN[where]
    if not test.exists():
        return f"{TESTED_IN[where]} does not exist"
    if module in reached_from(test) or module_of(module) in test.read_text():
        return ""
    return f"{TESTED_IN[where]} does not come to it"


def test_every_unit_test_stands_where_its_module_does() -> None:
    """A test file has its module, or a row among `OF_NO_MODULE`: one of both."""
    assert UNIT_TESTS
    mirrored = {own_test(module) for module in MODULES}
    rows = {ROOT / row for row in OF_NO_MODULE}
    assert [str(test.relative_to(ROOT)) for test in UNIT_TESTS if (test in mirrored) == (test in rows)] == []


def test_rows_are_of_what_there_is() -> None:
    assert [row for row in (*TESTED_IN, *OF_NO_MODULE) if not (ROOT / row).exists()] == []
    assert list(TESTED_IN) == sorted(TESTED_IN)
    assert list(OF_NO_MODULE) == sorted(OF_NO_MODULE)
