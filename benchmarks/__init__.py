"""Measurements on the twin, each run from the root of the repository: python -m benchmarks.NAME"""
