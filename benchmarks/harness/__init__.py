"""What every benchmark needs: turns of A and B, CPU by process, the machine, results, plots, the document of all."""
