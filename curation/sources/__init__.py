"""Sources of tasks: files, datasets of the Hugging Face Hub, and MeDAL. Each yields rows one by one, in flat memory."""
