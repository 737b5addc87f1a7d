"""Hostile files of text: pointers to other data, GeoJSON, GML."""

from __future__ import annotations

from tests.parcels.hostile_place import HARMLESS, pointer

OGR_VRT = (
    '<OGRVRTDataSource><OGRVRTLayer name="real"><SrcDataSource>OUT/canary.gpkg</SrcDataSource>'
    "</OGRVRTLayer></OGRVRTDataSource>"
)
REMOTE_VRT = OGR_VRT.replace("OUT/canary.gpkg", "/vsicurl/URL/canary.gpkg")
PAD = f"<!-- {' ' * 70_000} -->"
GDALG = (
    '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read OUT/canary.gpkg"}'
)
ESRI = (
    '{"geometryType": "esriGeometryPolygon", "coordinates": 1, "exceededTransferLimit": true, '
    '"spatialReference": {"wkid": 32632}, "fields": [], '
    '"features": [{"attributes": {"a": 1}, "geometry": {"rings": [[[0,0],[9,0],[9,9],[0,0]]]}}]}'
)
POINTERS = {
    "a virtual file named gpkg": (pointer(OGR_VRT, "p.gpkg"), "points at other data"),
    "a virtual file named shp": (pointer(OGR_VRT, "p.shp"), "points at other data"),
    "a virtual file named geojson": (pointer(OGR_VRT, "p.geojson"), "points at other data"),
    "a virtual file named fgb": (pointer(OGR_VRT, "p.fgb"), "points at other data"),
    "a virtual file named parquet": (pointer(OGR_VRT, "p.parquet"), "points at other data"),
    "a virtual file of an address": (pointer(REMOTE_VRT, "p.gml"), "points at other data"),
    "a virtual file behind a comment": (pointer(PAD + OGR_VRT, "p.gml"), "vector formats"),
    "the same that calls itself GML": (
        pointer("<!-- opengis.net/gml -->" + PAD + OGR_VRT, "p.gml"),
        "GML cannot be read",
    ),
    "a web feature service": (
        pointer("<OGRWFSDataSource><URL>URL</URL></OGRWFSDataSource>", "p.gml"),
        "points at other data",
    ),
    "a web map": (
        pointer(
            '<GDAL_WMS><Service name="TMS"><ServerUrl>URL</ServerUrl></Service></GDAL_WMS>', "p.xml"
        ),
        "points at other data",
    ),
    "a pipeline": (pointer(GDALG, "p.json"), "points at other data"),
    "a pipeline behind blanks": (pointer(" " * 70_000 + GDALG, "p.json"), "vector formats"),
    "a pipeline behind features": (
        pointer('{"Feature": "' + "x" * 70_000 + '", ' + GDALG[1:], "p.json"),
        r"would be read as|cannot be read|vector formats",
    ),
    "a database by its prefix": (
        pointer("PG:dbname=postgres host=URL", "p.gpkg"),
        "vector formats",
    ),
    "pages of a feature server": (
        pointer(ESRI, "p.json"),
        "vector formats|would be read as ESRIJSON",
    ),
    "pages that look like GeoJSON": (
        pointer(ESRI[:-1] + ', "type": "FeatureCollection"}', "p.json"),
        "holds parcels",
    ),
    "a network link of KML": (
        pointer("<kml><NetworkLink><href>URL/a.kml</href></NetworkLink></kml>", "p.gml"),
        "vector formats",
    ),
}


RING = "[[[9,49],[9.1,49],[9.1,49.1],[9,49]]]"
FEATURE = (
    '{"type":"Feature","properties":{"a":1},"geometry":{"type":"Polygon","coordinates":'
    + RING
    + "}}"
)


def geojson(*, features=FEATURE, extra=""):
    text = '{"type":"FeatureCollection",' + extra + '"features":[' + features + "]}"
    return pointer(text, "p.geojson")


def crs(text, word='"crs"'):
    return geojson(extra=f"{word}:{text},")


LINK = '{"type":"link","properties":{"href":"URL/canary.wkt","type":"ogcwkt"}}'
ELSEWHERE = "a CRS that lies elsewhere"


def crs_at_the_end(place):
    """Beyond what is read at once."""
    blank = " " * (2**24 - 400)
    text = f'{{"type":"FeatureCollection","features":[{FEATURE}]{blank},"crs":{LINK}}}'
    return pointer(text, "p.geojson")(place)


def many_columns(place):
    columns = ",".join(f'"c{n}":{n}' for n in range(5_000))
    return geojson(features=FEATURE.replace('"a":1', columns))(place)


def deep_json(place):
    deep = "[" * 100_000 + "]" * 100_000
    return geojson(features=FEATURE.replace(RING, deep))(place)


def many_rings(place):
    ring = ",[[9.05,49.02],[9.06,49.02],[9.06,49.03],[9.05,49.02]]"
    rings = "[" + RING[1:-1] + ring * 20_000 + "]"
    return geojson(features=FEATURE.replace(RING, rings))(place)


GEOJSON = {
    "a CRS by link": (crs(LINK), ELSEWHERE),
    "a CRS by URL": (crs(LINK.replace("link", "URL").replace("href", "url")), ELSEWHERE),
    "a CRS by link, escaped": (crs(LINK, '"\\u0063r\\u0073"'), ELSEWHERE),
    "a CRS by link, its type escaped": (crs(LINK.replace('"link"', '"l\\u0069nk"')), ELSEWHERE),
    "a CRS by link, in single quotes": (crs(LINK.replace('"', "'"), "'crs'"), ELSEWHERE),
    "a CRS by link behind a comment": (crs(LINK, '"crs"/* : */'), ELSEWHERE),
    "a CRS by link, the second of two": (
        geojson(extra=f'"crs":{{"type":"name","properties":{{"name":"EPSG:4326"}}}},"crs":{LINK},'),
        ELSEWHERE,
    ),
    "a CRS by link, the second type": (crs('{"type":"name",' + LINK[1:]), ELSEWHERE),
    "a CRS by link, at the end": (crs_at_the_end, ELSEWHERE),
    "a CRS without end": (crs('{"type":"name","x":"' + "x" * 100_000 + '"}'), ELSEWHERE),
    "a CRS named as an address": (
        crs('{"type":"name","properties":{"name":"URL/canary.wkt"}}'),
        HARMLESS,
    ),
    "a CRS named as a file": (
        crs('{"type":"name","properties":{"name":"OUT/canary.txt"}}'),
        HARMLESS,
    ),
    "an attribute named crs": (geojson(features=FEATURE.replace('"a"', '"crs"')), HARMLESS),
    "keys that repeat": (geojson(features=FEATURE.replace('"a":1', '"a":1,"a":2')), HARMLESS),
    "a link among the members": (
        geojson(extra='"links":[{"rel":"next","href":"URL/n"}],'),
        HARMLESS,
    ),
    "a hundred thousand brackets": (deep_json, "cannot be read|no parcels|holds parcels"),
    "twenty thousand rings": (many_rings, HARMLESS),
    "five thousand columns": (many_columns, HARMLESS),
    "numbers beyond all numbers": (
        geojson(features=FEATURE.replace("9.1,49.1", "1e999,-1e999")),
        "cannot be read|AbsurdCoordinates|HARMLESS",
    ),
    "NaN as a coordinate": (
        geojson(features=FEATURE.replace("9.1,49.1", "NaN,NaN")),
        "cannot be read|AbsurdCoordinates|HARMLESS",
    ),
    "a null byte": (
        pointer('{"type":"Feature\x00"}', "p.geojson"),
        "vector formats|cannot be read",
    ),
    "text of 16 bits": (
        lambda p: (
            p.folder / "p.geojson",
            (p.folder / "p.geojson").write_bytes(
                ('{"type":"FeatureCollection","features":[' + FEATURE + "]}").encode("utf-16")
            ),
        )[0],
        "vector formats",
    ),
}


GML = """<?xml version="1.0"?>DOCTYPE
<x:FeatureCollection xmlns:x="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml/3.2"
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" SCHEMA>
<gml:featureMember><x:p><x:n>VALUE</x:n><x:shape><gml:Polygon srsName="CRS"><gml:exterior>
<gml:LinearRing><gml:posList>0 0 90 0 90 50 0 0</gml:posList></gml:LinearRing></gml:exterior>
</gml:Polygon></x:shape></x:p></gml:featureMember></x:FeatureCollection>"""
NAMED = "urn:ogc:def:crs:EPSG::32632"
BESIDE = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">WHAT</xs:schema>'


def gml(*, doctype="", schema="", value="1", crs=NAMED, beside=None):
    def make(place):
        if beside is not None:
            pointer(BESIDE.replace("WHAT", beside), "p.xsd")(place)
        text = GML.replace("DOCTYPE", doctype).replace("SCHEMA", schema)
        text = text.replace("VALUE", value).replace('"CRS"', f'"{crs}"')
        return pointer(text, "p.gml")(place)

    return make


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
INCLUDES = "the schema beside the GML includes another"
GMLS = {
    "an external entity": (
        gml(doctype='<!DOCTYPE x [<!ENTITY e SYSTEM "file://OUT/canary.txt">]>', value="&e;"),
        "cannot be read|HARMLESS",
    ),
    "an external DTD": (gml(doctype='<!DOCTYPE x SYSTEM "URL/canary.dtd">'), HARMLESS),
    "a billion laughs": (
        gml(doctype=f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>', value="&l9;"),
        "no parcels",
    ),
    "a schema at an address": (gml(schema='xsi:schemaLocation="urn:x URL/canary.xsd"'), HARMLESS),
    "a schema elsewhere": (gml(schema='xsi:schemaLocation="urn:x OUT/canary.xsd"'), HARMLESS),
    "a schema beside that includes an address": (
        gml(beside='<xs:include schemaLocation="URL/canary.xsd"/>'),
        INCLUDES,
    ),
    "a schema beside that includes a file": (
        gml(beside='<xs:include schemaLocation="OUT/canary.xsd"/>'),
        INCLUDES,
    ),
    "a schema beside that imports an address": (
        gml(beside='<xs:import namespace="urn:y" schemaLocation="URL/canary.xsd"/>'),
        INCLUDES,
    ),
    "a CRS that is an address": (gml(crs="URL/canary.wkt"), "no coordinate reference system"),
    "a CRS that is a file": (gml(crs="OUT/canary.txt"), "no coordinate reference system"),
    "geometries by reference": (
        gml(value='<x:m xlink:href="URL/a.gml#b"/>'),
        "cannot be read|HARMLESS",
    ),
    "a hundred thousand elements deep": (
        gml(value="<x:m>" * 100_000 + "</x:m>" * 100_000),
        "no parcels",
    ),
}
