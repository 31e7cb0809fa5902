// HTTPMessageTests
