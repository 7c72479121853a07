"""Which document each command prints with `--json`; docs/json.md is made from it. Pure."""

from seed_server.answers.audit import (
    AuditAlarmDocument,
    AuditEntryDocument,
    AuditKeyDocument,
    AuditProofDocument,
    AuditVerifyDocument,
)
from seed_server.answers.backups import BackupDocument, BackupVerdictDocument, RestoreDocument
from seed_server.answers.bundles import BundleDocument, RoleKeysDocument
from seed_server.answers.custody import CustodyDocument
from seed_server.answers.disk import DiskCleanDocument, DiskDocument
from seed_server.answers.doctor import ServerDoctorDocument
from seed_server.answers.endpoint import (
    EndpointCardDocument,
    ForgottenEndpointDocument,
    UnmanagedDocument,
)
from seed_server.answers.fleet import (
    EndpointDocument,
    EndpointsPageDocument,
    SiteDocument,
    SitesDocument,
    StatusDocument,
)
from seed_server.answers.history import (
    ArchivesDocument,
    ArchiveVerifyDocument,
    HistoryPageDocument,
    HistoryRowDocument,
    LegalHoldDocument,
)
from seed_server.answers.inventory import InventoryDocument, InventoryRowDocument
from seed_server.answers.moving import MoveDocument
from seed_server.answers.offers import ListedDocument, OfferDocument, WithdrawDocument
from seed_server.answers.operations import (
    InitDocument,
    LintDocument,
    PostureCheckDocument,
    PublishDocument,
    TokenDocument,
    TokenRowDocument,
)
from seed_server.answers.people import (
    ApiTokenDocument,
    ApiTokenMadeDocument,
    ApproversDocument,
    LoginDocument,
    PersonDocument,
    PersonViewDocument,
)
from seed_server.answers.rollouts import (
    ExceptionDocument,
    RingPcsDocument,
    RolloutDocument,
    RolloutRowDocument,
    WantedApprovalDocument,
)
from seed_server.answers.sessions import KeyDocument, SessionDocument, SessionsEndedDocument
from seed_server.answers.signed import (
    ProfileDocument,
    ProfileNameDocument,
    TemplateDocument,
    TemplateNameDocument,
)
from seed_server.answers.standing import StandingDocument, StandingPageDocument
from seed_server.automation.apply_documents import ApplyDocument, ExportDocument
from seed_server.automation.webhook_documents import (
    RedeliveredDocument,
    WebhookDeliveriesDocument,
    WebhookDeliveryDocument,
    WebhookDocument,
    WebhookMadeDocument,
    WebhookNameDocument,
)
from seed_server.reporting.compliance_documents import ComplianceDocument
from seed_server.reporting.documents import (
    FollowUpDocument,
    MissingDocument,
    MissingPageDocument,
    PatchReportDocument,
    ServiceLevelDocument,
    ServiceLevelsDocument,
)
from seed_server.reporting.line_documents import SiteHistoryDocument
from seed_server.reporting.plan_documents import PlanDocument
from seed_server.reporting.priority_documents import (
    CveDocument,
    IntelligenceDocument,
    IntelligenceImportDocument,
    PriorityDocument,
)

DOCUMENTS: dict[str, object] = {
    "init": InitDocument,
    "backup": BackupDocument,
    "backup VERIFY": BackupVerdictDocument,
    "restore": RestoreDocument,
    "move": MoveDocument,
    "move BUNDLE": BundleDocument,
    "publish": PublishDocument,
    "publish BUNDLE": BundleDocument,
    "prepared": list[BundleDocument],
    "finish BUNDLE": BundleDocument,
    "withdraw": WithdrawDocument,
    "offer": OfferDocument,
    "list": list[ListedDocument],
    "rollout start": RolloutRowDocument,
    "rollout list": list[RolloutRowDocument],
    "rollout show": RolloutDocument,
    "rollout why": RolloutDocument,
    "rollout pause": RolloutRowDocument,
    "rollout resume": RolloutRowDocument,
    "rollout halt": RolloutRowDocument,
    "rollout abort": RolloutRowDocument,
    "rollout approve": RolloutRowDocument,
    "rollout approvals": list[WantedApprovalDocument],
    "rollout pcs": RingPcsDocument,
    "plan": PlanDocument,
    "exception add": ExceptionDocument,
    "exception list": list[ExceptionDocument],
    "exception end": ExceptionDocument,
    "keys list": list[RoleKeysDocument],
    "lint": LintDocument,
    "token": TokenDocument,
    "token list": list[TokenRowDocument],
    "apply": ApplyDocument,
    "apply EXPORT": ExportDocument,
    "posture-check": PostureCheckDocument,
    "status": StatusDocument,
    "status PAGE": StandingPageDocument,
    "status LINES": StandingDocument,
    "sites": SitesDocument,
    "site why": SiteDocument,
    "site history": SiteHistoryDocument,
    "doctor": ServerDoctorDocument,
    "endpoints": list[EndpointDocument],
    "endpoints PAGE": EndpointsPageDocument,
    "endpoints show": EndpointCardDocument,
    "endpoints unmanaged": UnmanagedDocument,
    "endpoints forget": list[ForgottenEndpointDocument],
    "profile show": list[ProfileNameDocument],
    "profile show SITE": ProfileDocument,
    "audit list": list[AuditEntryDocument],
    "audit verify": AuditVerifyDocument,
    "audit prove": AuditProofDocument,
    "audit alarms": list[AuditAlarmDocument],
    "audit new-key": AuditKeyDocument,
    "audit custody": CustodyDocument,
    "inventory": InventoryDocument,
    "inventory PACKAGES": InventoryDocument,
    "inventory LINES": InventoryRowDocument,
    "intelligence import": IntelligenceImportDocument,
    "intelligence show": IntelligenceDocument,
    "intelligence show CVE": CveDocument,
    "priority": PriorityDocument,
    "report compliance": ComplianceDocument,
    "report sla": ServiceLevelsDocument,
    "report sla LINES": ServiceLevelDocument,
    "report missing": MissingPageDocument,
    "report missing LINES": MissingDocument,
    "report follow-up": FollowUpDocument,
    "report patch": PatchReportDocument,
    "report history": HistoryPageDocument,
    "report history LINES": HistoryRowDocument,
    "archive list": ArchivesDocument,
    "archive verify": ArchiveVerifyDocument,
    "archive search": HistoryPageDocument,
    "archive search LINES": HistoryRowDocument,
    "archive hold": LegalHoldDocument,
    "archive release": LegalHoldDocument,
    "disk": DiskDocument,
    "disk clean": DiskCleanDocument,
    "template list": list[TemplateNameDocument],
    "template show": TemplateDocument,
    "login": LoginDocument,
    "people add": PersonDocument,
    "people list": list[PersonDocument],
    "people show": PersonViewDocument,
    "people sessions": list[SessionDocument],
    "people end-sessions": SessionsEndedDocument,
    "people keys": list[KeyDocument],
    "api-token make": ApiTokenMadeDocument,
    "api-token list": list[ApiTokenDocument],
    "approver list": ApproversDocument,
    "webhook add": WebhookMadeDocument,
    "webhook list": list[WebhookDocument],
    "webhook show": WebhookDocument,
    "webhook test": WebhookDeliveryDocument,
    "webhook rotate-secret": WebhookMadeDocument,
    "webhook pause": WebhookDocument,
    "webhook resume": WebhookDocument,
    "webhook remove": WebhookNameDocument,
    "webhook deliveries": WebhookDeliveriesDocument,
    "webhook dead": WebhookDeliveriesDocument,
    "webhook redeliver": RedeliveredDocument,
}
"""What each command prints with ``--json``."""
