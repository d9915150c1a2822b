"""The checks that every request passes, and the headers that every answer gets, in the front and under Flask."""

from __future__ import annotations

from scheduler.access import Sites, Tokens
from scheduler.api.http import auth, sites
from scheduler.api.http.cors import Cors
from scheduler.api.http.exchange import Answer, Exchange, HeaderFields
from scheduler.api.http.rate_limits import Limits, header_fields
from scheduler.api.http.services import Services

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Rules:
    """Preflights, sites, tokens, rate limits; security headers, figures."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self.services = services
        self.tokens = Tokens(settings)
        self.limits = Limits(services)
        self._cors = Cors(settings.api.cors_origins)
        self._sites = Sites(settings, "Api.CorsOrigins", settings.api.cors_origins)

    def refusal(self, x: Exchange) -> Answer | None:
        """Return the answer to a request that its headers alone refuse; None: it may go on.

        The order matters.  A browser's preflight has no token.  A page of another site must not learn whether its
        token was right.
        """
        return self._cors.preflight(x) or sites.refusal(self._sites, x) or auth.refusal(self.tokens, x)

    async def admit(self, x: Exchange) -> Answer | None:
        """Return what ``refusal`` returns, and count a request that may go on where a limit is set.

        Raises ``TooManyRequests`` beyond the limit, and ``StoreUnavailable`` when the request cannot be counted.
        """
        refusal = self.refusal(x)
        if refusal is None and self.limits.per_client:
            await self.limits.count_client(x)
        return refusal

    def finish(self, x: Exchange, status: int, headers: HeaderFields, route: str) -> None:
        """Complete the headers of an answer, errors included, and count it.

        ``route``: the rule and not the path, because one metric for each id would fill the memory.
        """
        headers["X-Content-Type-Options"] = "nosniff"
        if self.services.stopping.is_set():
            # A client could send a request on a kept connection at the moment in which it is closed.
            headers["Connection"] = "close"
        if "Cache-Control" not in headers:
            headers["Cache-Control"] = "no-store"
        self.services.telemetry.count(
            "scheduler_http_requests",
            route=route,
            method=x.method if x.method in _METHODS else "other",
            status=str(status),
        )
        if x.counted is not None:
            for name, value in header_fields(x.counted, status).items():
                headers[name] = value
        self._cors.complete(x, headers)
