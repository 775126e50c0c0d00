"""With and without boundary maps (the paper's Sec. 4.2): do the outlined cars look real?"""

title = "Cars in street scenes"
methods = {
    "with": dict(checkpoint="work_dirs/instance_maps_cityscapes/boundaries=with_map,seed=0"),
    "without": dict(checkpoint="work_dirs/instance_maps_cityscapes/boundaries=without,seed=0"),
}
scenes = dict(folder="data/cityscapes/gtFine/val")
regions = dict(classes=["car"], min_pixels=2000)
texts = dict(question="In which image do the outlined cars look more realistic?")
size = (1024, 512)
width = 640
per_pair = 50
participants = 100
