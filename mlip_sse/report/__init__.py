"""One page that shows a campaign: the answer first, how far to trust it, and where everything came from."""

from mlip_sse.report.campaign_record import CampaignRecord, read_campaign
from mlip_sse.report.page import REPORT_FILE, page_html, write_report
from mlip_sse.report.watch import watch

__all__ = ["REPORT_FILE", "CampaignRecord", "page_html", "read_campaign", "watch", "write_report"]
