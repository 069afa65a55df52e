"""What one worker process is made of: data plane, control planes, and what follows the store.

``WorkerPlan`` says all that a worker needs and can be handed to another process; ``open_worker``
builds it there. Whether it is the only process or one of many makes no difference here.

The rule to keep in mind: a worker begins with the keys that its parent had read, so that one that
is replaced while the database is down still starts; what has changed since, it hears from the store
as soon as that can be reached.
"""

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette

from gateway.config.compile import compile_snapshot, make_verifier
from gateway.config.load import Config
from gateway.control.admin import AdminServices, admin_snapshot, build_admin
from gateway.control.admin_probes import ISSUERS, OK, RATE_LIMITS, TRAFFIC
from gateway.control.admin_token import AdminToken
from gateway.control.app import ControlServices, build_control
from gateway.control.guard import Guard, listener_names
from gateway.desk import (
    Desk,
    configured_key,
    make_credential_check,
    make_desk,
    store_url,
    token_settings,
)
from gateway.errors import CredentialError, Reason
from gateway.file_watch import FileWatch
from gateway.issuer.grants import Granter, Lifetimes
from gateway.issuer.housekeeping import keep_store_tidy, keep_table_tidy
from gateway.issuer.key_ring import KeyRing, ring_of
from gateway.issuer.login import Login
from gateway.issuer.mint import Minter
from gateway.issuer.passwords import PasswordChecker
from gateway.issuer.revocation_table import RevocationTable
from gateway.issuer.revocations import RevocationView
from gateway.issuer.sync import StoreSync
from gateway.lifetime import BACKLOG, Drain, end_with, listening, running
from gateway.news import ReloadNews
from gateway.notify import Notifier, keep_beating
from gateway.observer import Observer
from gateway.parcel import Parcel
from gateway.policy.claims import Claims
from gateway.policy.describe import describe_route
from gateway.policy.model import Snapshot
from gateway.proxy.answers import DateField
from gateway.proxy.downstream import Downstream
from gateway.proxy.shared_limits import SharedLimiter
from gateway.proxy.sweeper import Sweeper
from gateway.proxy.watch import watch_upstreams
from gateway.proxy.worker import Worker
from gateway.reload import Reloader, hearing_hangups, read_again
from gateway.store.engine import Store, StoreLimits
from gateway.store.faults import StoreUnavailableError, UnfitStoreError
from gateway.store.keys import StoredKey
from gateway.tls import ServerTls
from gateway.trust import Trust, keys_of
from gateway.watchdog import watch_loop

DRAIN_S: Final = 30  # for what is in flight at SIGTERM; systemd gives 90 before it kills
START_S: Final = 30  # for a worker to start; a loaded machine takes its time
_CONTACT_S: Final = 5.0  # the store is asked twice a second: ten times without an answer

# What follows the store has a way of its own, and more patience: a flood of logins or refreshes,
# which all wait for the store, must not make this process deaf, and then refuse every token.
_FIRST_LOOK_S: Final = 2.0
_FOLLOWING: Final = StoreLimits(connections=2, deadline_s=20.0)

_clock: Final = time.time  # noqa: TID251 (where a worker reads it; all else is told)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What a worker is built from; it can be pickled."""

    parcel: Parcel[Config]  # large, where there are many routes
    table_path: Path  # of the revocations, made and filled
    keys: tuple[StoredKey, ...] = field(default=(), repr=False)  # none: the configuration has it
    parent_pid: int | None = None  # whose end is this worker's too
    admin_sockets: tuple[socket.socket, ...] = ()
    watch: FileWatch
    notifier: Notifier = field(default_factory=Notifier)  # silent in a worker of several

    @property
    def config(self) -> Config:
        """The configuration that it begins with."""
        return self.parcel.content


def uvicorn_config(plan: WorkerPlan, *, workers: int = 1) -> uvicorn.Config:
    """Return how uvicorn hosts our protocol; the app only gives it a process's life."""
    app = _App(plan)
    return uvicorn.Config(
        app,
        factory=True,
        http=accept,  # type: ignore[arg-type]  # called like the class that uvicorn asks for
        loop="gateway.loop:Loop",
        lifespan="on",
        ws="none",
        interface="asgi3",
        workers=workers,
        ssl_context_factory=app.tls.make_context if app.tls is not None else None,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_S,
        # uvicorn kills who does not answer by then, and one that still starts cannot.
        timeout_worker_healthcheck=START_S,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


class _App:
    """Makes the app that uvicorn asks for, in the process that it runs in."""

    def __init__(self, plan: WorkerPlan) -> None:
        self._plan = plan
        tls = plan.config.settings.tls
        self.tls = ServerTls(tls, _clock) if tls is not None else None

    def __call__(self) -> Starlette:
        plan = self._plan
        duties = [self.tls.follow()] if self.tls is not None else []

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
            async with open_worker(plan) as worker, running(duties):
                yield {"worker": worker}

        return Starlette(lifespan=lifespan)


def accept(
    *,
    config: uvicorn.Config,  # noqa: ARG001 (what uvicorn passes to a protocol)
    server_state: Any,  # noqa: ANN401
    app_state: dict[str, Any],
    _loop: object = None,
) -> Downstream:
    """Make the protocol of one accepted connection."""
    worker: Worker = app_state["worker"]
    worker.connections = server_state.connections
    return Downstream(worker, server_state.connections)


@asynccontextmanager
async def open_worker(plan: WorkerPlan) -> AsyncIterator[Worker]:
    """Build a worker, let it follow the store, and take it apart again when the process drains."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(store_url(plan.config), StoreLimits()))
        followed = await stack.enter_async_context(Store(store_url(plan.config), _FOLLOWING))
        table = RevocationTable(plan.table_path)
        stack.callback(table.close)
        passwords = PasswordChecker()
        stack.callback(passwords.close)
        parts = _Parts(plan, make_desk(plan.config, store, table), table, passwords)
        if parts.worker.shared_limits is not None:
            stack.push_async_callback(parts.worker.shared_limits.close)
        stack.callback(parts.observer.close, parts.worker)
        stack.callback(parts.worker.close)
        drain = Drain(parts.drain, parts.retire, parts.drain_delay_s)
        stack.enter_context(drain.noticing())
        sync = parts.sync = StoreSync(
            followed, table, parts.desk.keeper, parts.use_ring, clock=_clock
        )
        # The plan's keys may be weeks old by now. Without the store they have to do.
        with suppress(StoreUnavailableError, UnfitStoreError, TimeoutError):
            async with asyncio.timeout(_FIRST_LOOK_S):
                await sync.catch_up()
        duties = [sync.run(), keep_store_tidy(followed, _clock), *parts.duties()]
        await stack.enter_async_context(running(duties))
        await parts.trust.settle()
        parts.worker.sweeper.start()
        if plan.admin_sockets:  # ends first of all here: uvicorn has drained the public listener
            admin = listening(parts.make_admin(), plan.admin_sockets)
            parts.stop_admin = await stack.enter_async_context(admin)
        stack.enter_context(hearing_hangups(parts.on_hangup))
        gc.collect()
        gc.freeze()  # what is here now lives as long as the process
        yield parts.worker


class _Parts:
    """The parts of one worker, and what changes in them while it runs."""

    def __init__(
        self, plan: WorkerPlan, desk: Desk, table: RevocationTable, passwords: PasswordChecker
    ) -> None:
        config = self._config = plan.config
        self._parent_pid = plan.parent_pid
        self.desk = desk
        self._table = table
        self._passwords = passwords
        self.sync: StoreSync | None = None
        self._admin: Worker | None = None
        self.ring = _first_ring(plan)
        self._minter = Minter(self.ring.signing, token_settings(config))
        self.trust = Trust(config, self._verify_anew, clock=asyncio.get_running_loop().time)
        self.draining = False  # the gateway is about to end
        self.stop_admin: Callable[[], None] | None = None
        self.worker = Worker(
            compile_snapshot(config, self.ring.verification_keys()),
            build_control(self._control_services()),
            clock=_clock,
            date=DateField(_clock),
            sweeper=Sweeper(),
            revocations=_view(config, table),
        )
        self.worker.on_keys_wanted = self.trust.want
        self._look_up_credentials()
        if config.settings.redis is not None:
            self.worker.shared_limits = SharedLimiter(config.settings.redis.get_secret_value())
        self.observer = Observer(config, plan.table_path.parent, _clock)
        self.observer.listen_to(self.worker)
        self._notifier = plan.notifier
        news = ReloadNews(plan.notifier, self.observer.reloads)
        self._reloader = Reloader(lambda: self._config, self._use_config, plan.watch, news)

    def use_ring(self, ring: KeyRing) -> None:
        """Sign and verify with other keys from now on; what has begun goes on as it began."""
        self.ring = ring
        self._minter.use(ring.signing)
        self._verify_anew()

    def _verify_anew(self) -> None:
        """Verify with the keys as they are now, our own and those of others."""
        keys = self.ring.verification_keys()
        verifier = make_verifier(self._config, keys, self.trust.keys())
        self.worker.snapshot = replace(self.worker.snapshot, verifier=verifier)

    async def _use_config(self, config: Config, snapshot: Snapshot) -> None:
        """Go on with another configuration; *snapshot* is compiled from it, without keys."""
        use_access_log = self.observer.prepare(config)
        sources = await self.trust.prepare(config)
        desk = make_desk(config, self.desk.store, self._table)
        keys = self.ring.verification_keys()
        verifier = make_verifier(config, keys, keys_of(sources))
        minter = Minter(self.ring.signing, token_settings(config))
        # All that can fail is done. From here to the end nobody else comes in between.
        self._config, self.desk, self._minter = config, desk, minter
        self.trust.use(sources, config)
        self.worker.revocations = _view(config, self._table)
        control = build_control(self._control_services())
        self.worker.use(replace(snapshot, verifier=verifier), control)
        self._look_up_credentials()
        if self.sync is not None:
            self.sync.use_keeper(desk.keeper)
        if self._admin is not None:
            self._admin.revocations = self.worker.revocations
            snapshot = admin_snapshot(self.worker.snapshot)
            self._admin.use(snapshot, build_admin(self._admin_services()))
        use_access_log(self.worker, self._admin)

    def on_hangup(self) -> None:
        """Read the configuration again; of several workers, it is their parent who does."""
        if self._parent_pid is None:
            self._reloader.on_signal()

    async def reload(self) -> bool:
        """Reload now, or ask the parent to; as ``control.admin_reload.Reload``."""
        if self._parent_pid is None:
            await self._reloader.reload()
            return True
        await asyncio.to_thread(read_again, self._config)  # it can tell nobody of faults
        os.kill(self._parent_pid, signal.SIGHUP)
        return False

    def introspect(self, token: str) -> Claims | None:
        """Return the claims of a token that counts now, or None.

        Raises:
            StoreUnavailableError: It may have been revoked without our knowing.
            CredentialError: ``keys_unavailable``: the keys of its issuer are not known.
        """
        now_s = _clock()
        worker = self.worker
        if worker.revocations.is_stale(now_s):
            raise StoreUnavailableError("nothing has been heard of revocations for too long")
        try:
            verified = worker.snapshot.verifier.verify(
                token.encode("utf-8", "surrogatepass"), now_s
            )
        except CredentialError as error:
            self.trust.want(error.issuer)
            if error.reason is Reason.KEYS_UNAVAILABLE:
                raise
            return None
        return None if worker.revocations.is_revoked(verified, now_s) else verified.claims

    def drain(self) -> None:
        """Tell that the gateway is about to end."""
        self.draining = True
        self.worker.let_clients_go()
        self._notifier.stopping()

    def retire(self) -> None:
        """Leave the admin listener to those who go on: there is nothing to be warned of."""
        self.worker.let_clients_go()
        if self.stop_admin is not None:
            self.stop_admin()

    def drain_delay_s(self) -> float:
        """For how long this worker goes on after it was told to end."""
        return self._config.settings.limits.drain_delay

    def readiness(self) -> dict[str, str]:
        """Return how the parts of this worker are, for ``/readyz``."""
        now_s = _clock()
        store = OK
        if self.worker.revocations.is_stale(now_s):
            store = "stale"  # requests with a token are refused
        elif abs(now_s - self._table.contacts[0]) > _CONTACT_S:
            store = "unreachable"
        traffic = "draining" if self.draining else OK
        components = {"configuration": OK, "store": store, TRAFFIC: traffic}
        if self._config.settings.issuers:
            components[ISSUERS] = "keys unavailable" if self.trust.lacks_keys() else OK
        if (shared := self.worker.shared_limits) is not None:
            components[RATE_LIMITS] = OK if shared.is_up else "each worker for itself"
        return components

    def make_admin(self) -> Worker:
        """Return what answers on the admin listener: its own endpoints, and no route."""
        self._admin = Worker(
            admin_snapshot(self.worker.snapshot),
            build_admin(self._admin_services()),
            clock=_clock,
            date=self.worker.date,
            sweeper=self.worker.sweeper,
            revocations=self.worker.revocations,
        )
        self.observer.listen_to_admin(self._admin)
        return self._admin

    def _admin_services(self) -> AdminServices:
        config, desk = self._config, self.desk
        listeners = config.settings.admin.listen if config.settings.admin is not None else ()
        return AdminServices(
            users=desk.users,
            sessions=desk.sessions,
            api_keys=desk.api_keys,
            revoker=desk.revoker,
            keeper=desk.keeper,
            hash_password=self._passwords.hash,
            readiness=self.readiness,
            routes=lambda: [describe_route(route) for route in self.worker.snapshot.routes],
            metrics=lambda: self.observer.page(self.worker, self.ring, self._table),
            reload=self.reload,
            clock=_clock,
            guard=Guard(_admin_token(config), listener_names(each.host for each in listeners)),
        )

    def duties(self) -> list[Any]:
        """Return the other coroutines that run as long as the worker does."""
        parent_pid = self._parent_pid
        if parent_pid is None:  # of several workers, it is their parent that tidies and looks
            tidying = keep_table_tidy(self._table, _clock)
            own = [tidying, self._reloader.follow(), keep_beating(self._notifier)]
        else:
            own = [end_with(parent_pid)]
        watching = (
            watch_upstreams(self.worker),
            self.observer.run(self.worker),
            watch_loop(lambda: self._config.settings.limits.stall_timeout, self.observer.note_lag),
        )
        return [*own, *watching, self.trust.run()]

    def _look_up_credentials(self) -> None:
        """Look API keys and passwords up by the configuration as it is now."""
        check = make_credential_check(
            self._config, self.desk, self._login(), lambda: self._table.epoch, _clock
        )
        self.worker.checks.check = check.check

    def _granter(self) -> Granter:
        desk, tokens = self.desk, self._config.settings.tokens
        lifetimes = Lifetimes(idle_s=tokens.refresh_lifetime, absolute_s=tokens.session_lifetime)
        return Granter(desk.store, desk.accounts, self._minter, desk.revoker, lifetimes)

    def _login(self) -> Login:
        desk = self.desk
        return Login(desk.store, desk.accounts, self._passwords, self._granter())

    def _control_services(self) -> ControlServices:
        config, desk = self._config, self.desk
        tokens = config.settings.tokens
        granter = self._granter()
        return ControlServices(
            login=self._login(),
            granter=granter,
            sessions=desk.sessions,
            keys=lambda: self.ring,
            introspect=self.introspect,
            issuer=tokens.issuer,
            admin_token=_admin_token(config),
            clock=_clock,
        )


def _first_ring(plan: WorkerPlan) -> KeyRing:
    key = configured_key(plan.config)
    if key is not None:
        return KeyRing(key)
    ring = ring_of(plan.keys, plan.config.settings.tokens.algorithm)
    if ring is None:
        raise ValueError("a worker's plan has no key that signs")
    return ring


def _view(config: Config, table: RevocationTable) -> RevocationView:
    return RevocationView(table, max_silence_s=config.settings.limits.store_silence)


def _admin_token(config: Config) -> AdminToken:
    admin = config.settings.admin
    secret = None if admin is None else admin.token
    return AdminToken(None if secret is None else secret.get_secret_value())
