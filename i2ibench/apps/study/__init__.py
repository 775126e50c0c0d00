"""The human perceptual study: which of two images people find more realistic (Sec. 4.2).

`define` makes a study, `collect` asks people, `analyse` draws conclusions from their answers, and
`study` is the folder that the three share.
"""
