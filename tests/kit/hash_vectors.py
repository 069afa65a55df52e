"""Password hashes made by others: (form, kind, password, hash), cheap where we could choose.

Sources: "django" is Django 5.2's own hashers; "passlib-docs" the examples of its documentation;
"passlib" and "ldap" libpass 1.9.4; "glibc" crypt(3); "openwall" and "php" crypt_blowfish's own test
vectors; the RFCs as named.
"""

from base64 import b64encode
from typing import Final

from gateway.policy.password_hashes import HashKind

DJANGO_PASSWORD: Final = "l\u00e8tmein"
PASSLIB_PASSWORD: Final = "p\u00e4ssword"
_RFC_6070: Final = b64encode(bytes.fromhex("4b007901b765489abead49d926f721d065a429c1")).decode()
_RFC_7914: Final = b64encode(
    bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
).decode()

LEGACY: Final[list[tuple[str, HashKind, str, str]]] = [
    (
        "bcrypt-2a-openwall", HashKind.BCRYPT, "U*U",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ),
    (
        "bcrypt-2y-php", HashKind.BCRYPT, "U*U",
        "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ),
    (
        "bcrypt-2b-72-bytes", HashKind.BCRYPT, "x" * 72,
        "$2b$04$RA6lYZ7EIhsix2GXIrnXeephCi4Elue50kK44BjjeZTtX/uPQ6FiO",
    ),
    (
        "bcrypt-django", HashKind.BCRYPT, DJANGO_PASSWORD,
        "bcrypt$$2b$04$fryMpbc85wdIvl1ouDWmQetheTSlg7X4oAtd5vbw710gthoiCw/eC",
    ),
    (
        "bcrypt-sha256-django", HashKind.BCRYPT, DJANGO_PASSWORD,
        "bcrypt_sha256$$2b$04$K/yMOyeiBUCedmCXwu6X5u3FMamfOJzK3alI4BWLB4Mx6fKynRcU.",
    ),
    (
        "scrypt-django", HashKind.SCRYPT, DJANGO_PASSWORD,
        (
            "scrypt$16384$seasalt$8$5$ECMIUp+LMxMSK8xB/IVyba+KYGTI7FTnet025q/1f/vBAVnnP3hdYqJuRi+mJn6j"
            "i6ze3Fbb7JEFPKGpuEf5vw=="
        ),
    ),
    (
        "scrypt-rfc-7914", HashKind.SCRYPT, "pleaseletmein",
        f"scrypt$16384$SodiumChloride$8$1${_RFC_7914}",
    ),
    (
        "scrypt-passlib-docs", HashKind.SCRYPT, "password",
        "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
    ),
    (
        "scrypt-passlib", HashKind.SCRYPT, PASSLIB_PASSWORD,
        "$scrypt$ln=4,r=8,p=1$KIWwds65N0ZISclZC8F4zw$yKsP+Whp/FSXz+YCkDJzscO5RRlKvkM/WygpTWMKxlc",
    ),
    (
        "pbkdf2-sha1-rfc-6070", HashKind.PBKDF2, "password",
        f"pbkdf2_sha1$4096$salt${_RFC_6070}",
    ),
    (
        "pbkdf2-sha1-django", HashKind.PBKDF2, DJANGO_PASSWORD,
        "pbkdf2_sha1$1000$seasalt$ljleU4wBmTtz/MoG5YTwxpM0d7I=",
    ),
    (
        "pbkdf2-sha256-django", HashKind.PBKDF2, DJANGO_PASSWORD,
        "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=",
    ),
    (
        "pbkdf2-sha256-passlib-docs", HashKind.PBKDF2, "toomanysecrets",
        "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
    ),
    (
        "pbkdf2-sha1-passlib", HashKind.PBKDF2, PASSLIB_PASSWORD,
        "$pbkdf2$1000$zXkPYQyB0DrnHIOw9r73/g$iX0WyDzubF4uPAGi6NRoGej5Fq8",
    ),
    (
        "pbkdf2-sha512-passlib", HashKind.PBKDF2, PASSLIB_PASSWORD,
        (
            "$pbkdf2-sha512$1000$y/lf632PEaLUWmvNWcs5hw$Wvf3YpjbrXd57sVmEJ5z2GmPDybdRUxtNE06B2oqzFJvdLW"
            "jcXVO8zVJbzbfMwrioHy.UJQWmuJ7RqjxKXBy6A"
        ),
    ),
    (
        "pbkdf2-sha1-ldap", HashKind.PBKDF2, PASSLIB_PASSWORD,
        "{PBKDF2}1000$fs9Zy5lTqpUSorT2vjcmRA$qBhVgi3sOb4B5ARJ0PLfb3YZQm4",
    ),
    (
        "pbkdf2-sha256-ldap", HashKind.PBKDF2, PASSLIB_PASSWORD,
        "{PBKDF2-SHA256}1000$dW4NAYDQOofQujdGqFXK2Q$qaILp.7oMpB611.VrawpbwkhOBg7YKI4YDPJG.RPG3c",
    ),
    (
        "pbkdf2-sha512-ldap", HashKind.PBKDF2, PASSLIB_PASSWORD,
        (
            "{PBKDF2-SHA512}1000$LcV4rxUCIKT03puzdm4NoQ$tFT4ncZCBdbgSWbklWWHJwg6oZsExI9J.Oo9XrcFJQd0G4O"
            "ha583TUeeqR6uigtmMJmc9voyJiJ6q3VZjagR.w"
        ),
    ),
    (
        "sha256-crypt-glibc", HashKind.SHA_CRYPT, "Hello world!",
        "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
    ),
    (
        "sha256-crypt-rounds-glibc", HashKind.SHA_CRYPT, "Hello world!",
        "$5$rounds=1400$anotherlongsalts$3qrvGONjJLD3nbbdMqiPU3HEkZj9mKxTAR68T172Rv9",
    ),
    (
        "sha512-crypt-glibc", HashKind.SHA_CRYPT, "Hello world!",
        (
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoE"
            "OfaS35inz1"
        ),
    ),
    (
        "sha512-crypt-rounds-glibc", HashKind.SHA_CRYPT, "Hello world!",
        (
            "$6$rounds=1400$anotherlongsalts$5FGyu8c4BZDX4wJgs0Un26YOw2XibT5eTkHF1I1aP3QqStoJI9BHD2YPJY"
            "sAjEePVGUyBjdZxcNqMWlrrbIOC."
        ),
    ),
]  # fmt: skip

HASHES: Final[dict[str, str]] = {form: text for form, _, _, text in LEGACY}

# (what is wrong, hash): no form that anybody can log in with.
MALFORMED: Final[list[tuple[str, str]]] = [
    ("empty", ""),
    ("plain", "canary"),
    ("line-feed", HASHES["bcrypt-2a-openwall"] + "\n"),
    ("other-digits", HASHES["sha256-crypt-rounds-glibc"].replace("1400", "\u0661400")),
    ("not-ascii", HASHES["pbkdf2-sha256-django"].replace("seasalt", "s\u00e9l")),
    ("long", HASHES["pbkdf2-sha256-django"].replace("seasalt", "s" * 512)),
    ("md5-crypt", "$1$O3JMY.Tw$AdLnLjQ/5jXF9.MTp3gHv/"),
    ("argon2i", "$argon2i$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l$c29tZWhhc2hzb21laGFzaA"),
    ("argon2id-no-tag", "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l$"),
    ("argon2id-no-lanes", "$argon2id$v=19$m=65536,t=3,p=0$c29tZXNhbHRzb21l$c29tZWhhc2hzb21laGFzaA"),
    ("bcrypt-2x", HASHES["bcrypt-2a-openwall"].replace("2a", "2x")),
    ("bcrypt-cost-3", HASHES["bcrypt-2a-openwall"].replace("$05$", "$03$")),
    ("bcrypt-cost-32", HASHES["bcrypt-2a-openwall"].replace("$05$", "$32$")),
    ("bcrypt-cut", HASHES["bcrypt-2a-openwall"][:-1]),
    ("bcrypt-one-dollar", HASHES["bcrypt-django"].replace("$$", "$")),
    ("scrypt-n-1", HASHES["scrypt-django"].replace("16384", "1")),
    ("scrypt-n-odd", HASHES["scrypt-django"].replace("16384", "16383")),
    ("scrypt-ln-0", HASHES["scrypt-passlib"].replace("ln=4", "ln=0")),
    ("scrypt-base64", HASHES["scrypt-passlib"] + "xx"),
    ("pbkdf2-md5", HASHES["pbkdf2-sha256-django"].replace("sha256", "md5")),
    ("pbkdf2-no-rounds", HASHES["pbkdf2-sha256-django"].replace("1000", "0")),
    ("pbkdf2-other-hash", HASHES["pbkdf2-sha256-django"].replace("sha256", "sha1")),
    ("pbkdf2-long-digest", HASHES["pbkdf2-sha256-passlib-docs"] + "A" * 43),
    ("pbkdf2-empty-salt", HASHES["pbkdf2-sha256-django"].replace("seasalt", "")),
    ("ldap-other-hash", HASHES["pbkdf2-sha1-ldap"].replace("PBKDF2", "PBKDF2-MD5")),
    ("sha-crypt-999-rounds", HASHES["sha256-crypt-rounds-glibc"].replace("1400", "999")),
    ("sha-crypt-no-salt", HASHES["sha256-crypt-glibc"].replace("saltstring", "")),
    ("sha-crypt-17-salt", HASHES["sha256-crypt-glibc"].replace("saltstring", "s" * 17)),
    ("sha-crypt-other-length", HASHES["sha256-crypt-glibc"].replace("$5$", "$6$")),
]

_ARGON2ID: Final = "$argon2id$v=19$m={},t={},p={}$c29tZXNhbHRzb21l$c29tZWhhc2hzb21laGFzaA"

# (what is too much, the dearest hash that is taken, the next one): only parameters differ.
COSTS: Final[list[tuple[str, str, str]]] = [
    ("argon2id above 512 MiB", _ARGON2ID.format(524288, 1, 1), _ARGON2ID.format(524289, 1, 1)),
    (
        "argon2id above 4 GiB of memory times passes",
        _ARGON2ID.format(524288, 8, 1),
        _ARGON2ID.format(524288, 9, 1),
    ),
    ("argon2id above 16 lanes", _ARGON2ID.format(1024, 1, 16), _ARGON2ID.format(1024, 1, 17)),
    *(
        (name, HASHES[form].replace(old, most), HASHES[form].replace(old, more))
        for name, form, old, most, more in (
            ("bcrypt above a cost of 16", "bcrypt-2a-openwall", "$05$", "$16$", "$17$"),
            ("bcrypt above a cost of 16", "bcrypt-django", "$04$", "$16$", "$31$"),
            ("scrypt above 512 MiB", "scrypt-rfc-7914", "16384", "524288", "1048576"),
            ("scrypt above 512 MiB", "scrypt-passlib", "ln=4,", "ln=19,", "ln=31,"),
            ("scrypt above 1 GiB of memory times p", "scrypt-passlib", "p=1", "p=65536", "p=65537"),
            (
                "PBKDF2 above 10 million rounds", "pbkdf2-sha256-django",
                "1000", "10000000", "10000001",
            ),
            (
                "PBKDF2 above 10 million rounds", "pbkdf2-sha512-passlib",
                "$1000$", "$10000000$", "$9999999999$",
            ),
            (
                "SHA-crypt above 1 million rounds", "sha512-crypt-rounds-glibc",
                "1400", "1000000", "1000001",
            ),
        )
    ),
]  # fmt: skip
