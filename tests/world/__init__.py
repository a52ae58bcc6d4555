# SPDX-License-Identifier: Apache-2.0
"""The nouns that end-to-end tests are written in: an Ingot, pods, clients, Kubernetes objects.

Nothing here waits for a time; everything waits for a condition with a deadline.
"""
