print("leafcutter-guest")
