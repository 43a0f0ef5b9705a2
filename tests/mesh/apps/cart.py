"""A client of Redis that was told where Redis is by $PROA_UPSTREAM_REDIS; prints what it read back."""

import os

import redis


def main() -> None:
    host, _, port = os.environ["PROA_UPSTREAM_REDIS"].rpartition(":")
    with redis.Redis(host=host, port=int(port), socket_timeout=20) as store:
        store.set("cart", "a boat")
        with store.pipeline() as together:
            together.incr("visits").incr("visits").get("cart")
            print(together.execute())


if __name__ == "__main__":
    main()
