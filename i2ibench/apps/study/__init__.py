"""The human perceptual study: which of two images people find more realistic (Sec. 4.2).

`define` makes a study's folder, `collect` asks people, and `analyse` draws conclusions from their
answers. All three share `define.study.Study`, the folder, and `answers`, the collected answers.
"""
