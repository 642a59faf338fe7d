"""These tests share engines that hold a known tape; they end with the last test."""
