#!/bin/sh
# Starts a node without CPUs beside the coordinator, without its keys and password, then the coordinator itself.
#   coordinator.sh VERB ...      RAY_HEAD: the head's address (default: head:6379)
set -eu
umask 077

if [ "${1:-}" = "discover" ] || [ "${1:-}" = "resume" ]; then
    env -i PATH="$PATH" HOME="$HOME" RAY_USAGE_STATS_ENABLED=0 \
        ray start --address="${RAY_HEAD:-head:6379}" --num-cpus=0 --disable-usage-stats >/dev/null
    set -- "$@" --ray auto
fi
# libpq reads the password from a file, so it appears in no command line, environment or message.
if [ -r /run/secrets/postgres_password ]; then
    printf '%s:*:%s:%s:%s\n' "$PGHOST" "$PGDATABASE" "$PGUSER" "$(cat /run/secrets/postgres_password)" >"$HOME/.pgpass"
fi
exec sldagent "$@" --archive "postgresql://$PGUSER@$PGHOST/$PGDATABASE"
