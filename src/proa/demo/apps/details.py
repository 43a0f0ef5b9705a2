"""The bookstore's details: facts about a book. Calls nobody."""

from aiohttp import web

from proa.demo.apps.options import Options
from proa.demo.apps.serving import main, new_app


def build_app(options: Options) -> web.Application:
    app = new_app(options)

    async def details(request: web.Request) -> web.Response:
        return web.json_response(
            {
                "id": int(request.match_info["book"]),
                "author": "William Shakespeare",
                "year": 1595,
                "type": "paperback",
                "pages": 200,
                "publisher": "PublisherA",
                "language": "English",
                "ISBN-10": "1234567890",
                "ISBN-13": "123-1234567890",
                "podname": options.name,
                "version": options.version,
            }
        )

    app.router.add_get(r"/details/{book:\d{1,9}}", details)
    return app


if __name__ == "__main__":
    main("details", build_app)
