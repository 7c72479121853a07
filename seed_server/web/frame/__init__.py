"""What all pages share: who asks, forms, texts in their language, headers, style, the live stream."""
