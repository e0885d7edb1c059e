"""``python -m deepxrd.cli``: the command ``deepxrd``, where its script is not on the path."""

from deepxrd.cli.main import main

if __name__ == "__main__":
    main()
