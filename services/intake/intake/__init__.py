"""Intake: accepts applications and claims from the portal and shows where each of them is.

I decide whether what comes in is complete and allowed at this moment; on its merits others decide. I own the
applications, claims, invoices and timelines as the portal sees them, with what each waits for and until when. I let
a draft lapse that nobody submits. I tell of submissions and withdrawals (``intake.applications``) and hear policies,
decisions, awards and demands to pay back, which keep the stored state up to date.
"""
