"""The named colours that a scene chooses from, RGB 0..255 before the light changes them."""

from i2ibench.data.toystreet.canvas import Rgb

CAR_COLOURS: dict[str, Rgb] = {
    "white": (226, 228, 230),
    "silver": (158, 164, 172),
    "black": (34, 35, 40),
    "red": (190, 30, 36),
    "blue": (32, 74, 172),
    "green": (30, 112, 62),
    "yellow": (228, 186, 32),
    "orange": (226, 104, 24),
    "brown": (108, 70, 44),
    "turquoise": (40, 160, 168),
}

WALL_COLOURS: dict[str, Rgb] = {
    "brick red": (160, 84, 66),
    "sandstone": (206, 178, 132),
    "cream": (226, 214, 184),
    "grey": (150, 152, 156),
    "pale blue": (158, 182, 204),
    "sage": (160, 178, 144),
    "terracotta": (202, 126, 84),
    "rose": (208, 158, 152),
}

ROAD_COLOURS: dict[str, Rgb] = {
    "smooth asphalt": (98, 99, 104),
    "coarse asphalt": (80, 81, 84),
    "cobbles": (122, 115, 108),
    "concrete": (152, 149, 142),
}

SIDEWALK_COLOURS: dict[str, Rgb] = {
    "light slabs": (176, 172, 166),
    "warm slabs": (182, 164, 146),
    "dark slabs": (136, 134, 134),
}

FOLIAGE_COLOURS: dict[str, Rgb] = {
    "summer green": (74, 112, 50),
    "spring green": (118, 146, 58),
    "deep green": (48, 84, 52),
    "autumn gold": (174, 128, 44),
}

GRASS_COLOURS: dict[str, Rgb] = {
    "fresh grass": (112, 142, 70),
    "dry grass": (158, 148, 92),
}

CLOTHES_COLOURS: dict[str, Rgb] = {
    "red": (186, 44, 46),
    "blue": (50, 84, 156),
    "white": (222, 222, 218),
    "black": (40, 40, 46),
    "green": (60, 116, 74),
    "yellow": (222, 184, 62),
    "purple": (116, 70, 130),
    "beige": (190, 168, 136),
}

TRUCK_COLOURS: dict[str, Rgb] = {
    "white": (224, 224, 222),
    "blue": (52, 92, 158),
    "red": (172, 48, 44),
    "green": (64, 118, 84),
    "yellow": (220, 180, 50),
}

BUS_COLOURS: dict[str, Rgb] = {
    "yellow": (228, 186, 44),
    "red": (182, 38, 42),
    "teal": (38, 128, 132),
    "white": (224, 226, 226),
}

ROOF_COLOURS: tuple[Rgb, ...] = ((142, 74, 56), (104, 62, 52), (88, 90, 98), (70, 74, 80))
TROUSER_COLOURS: tuple[Rgb, ...] = ((44, 54, 84), (52, 48, 46), (96, 86, 72), (32, 34, 40))
SKIN_COLOURS: tuple[Rgb, ...] = ((232, 190, 158), (198, 146, 110), (142, 96, 68), (92, 62, 46))
HAIR_COLOURS: tuple[Rgb, ...] = ((44, 32, 26), (98, 68, 40), (176, 138, 78), (150, 148, 146))
